package io.github.ema4j.checkpoint;

import static java.util.Objects.requireNonNull;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.Uninterruptibles;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * A thread that does another half of the work on a piece of data at the same time. Both halves end
 * before the next piece begins, so that memory is bounded and no error is late.
 */
final class SecondThread implements AutoCloseable {
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread made = new Thread(work, "ema4j-checkpoint-helper");
            made.setDaemon(true);
            return made;
          });

  /**
   * What the caller's thread does.
   *
   * @param <E> how it fails
   */
  interface Work<E extends Exception> {
    /** Does it. */
    void run() throws E;
  }

  /**
   * Does two things at the same time, and returns when both have ended.
   *
   * @throws E if {@code here} does; what {@code there} throws is thrown otherwise
   */
  <E extends Exception> void both(Runnable there, Work<E> here) throws E {
    Future<?> other = thread.submit(there);
    try {
      here.run();
    } catch (Throwable e) {
      endAfter(e, other);
      throw e;
    }
    end(other);
  }

  private static void endAfter(Throwable failure, Future<?> other) {
    try {
      end(other);
    } catch (RuntimeException | Error e) {
      failure.addSuppressed(e);
    }
  }

  private static void end(Future<?> other) {
    try {
      Uninterruptibles.getUninterruptibly(other);
    } catch (ExecutionException e) {
      Throwables.throwIfUnchecked(requireNonNull(e.getCause()));
      throw new AssertionError(e); // a Runnable throws nothing else
    }
  }

  @Override
  public void close() {
    thread.shutdown();
  }
}
