package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Ints;
import com.google.common.primitives.Longs;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Splits the work of one operation over threads, if it is large: the caller's thread and those that
 * help it take chunks of it until there are none, so that one that was late or is slow keeps nobody
 * waiting. How many threads there are at most is the system property {@code ema.threads}, the
 * number of processors by default but no more than {@value #MOST_BY_DEFAULT}. Each has a kernel of
 * its own; nothing is allocated from the second operation on. One operation at a time.
 */
final class Workers {
  static final String PROPERTY = "ema.threads";

  /** Memory is exhausted by a few cores; more would only take them from the training. */
  private static final int MOST_BY_DEFAULT = 4;

  private static final int MOST = 256;

  /** What a thread does in less time than it takes to wake it is not worth one. */
  private static final long LEAST_BYTES = 4 << 20;

  /** So many chunks a thread takes, so that the last ones end at about the same time. */
  private static final int CHUNKS = 16;

  /** Large beside what taking a chunk costs, and what a processor takes to begin to fetch ahead. */
  private static final long LEAST_CHUNK_BYTES = 1 << 20;

  private static final long MOST_CHUNK_BYTES = 32 << 20;

  /** Threads that write to one cache line slow each other down: no type has smaller elements. */
  private static final int LINE = 64;

  /** So often the end of the others' parts is looked for before the caller's thread sleeps. */
  private static final int LOOKS = 2_000;

  private static final Work NOTHING = (kernel, begin, end) -> {};

  private final int threads;
  private final HostKernel kernel;
  private HostKernel[] kernels = {};
  private Helper @Nullable [] helpers;

  private Work work = NOTHING;
  private long positions;
  private long chunk;
  private final AtomicLong next = new AtomicLong();
  private final AtomicInteger ended = new AtomicInteger();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
  private volatile @Nullable Thread waiting;

  /** What is split. */
  interface Work {
    /** Does the part from one position to another, of those that were said to exist. */
    void run(HostKernel kernel, long begin, long end);
  }

  Workers(int threads, HostKernel kernel) {
    this.threads = threads;
    this.kernel = kernel;
  }

  /**
   * Returns how many threads an operation may take.
   *
   * @throws IllegalArgumentException if the property is no number, or out of range
   */
  static int configuredThreads() {
    String text = System.getProperty(PROPERTY);
    if (text == null) {
      return Math.min(Runtime.getRuntime().availableProcessors(), MOST_BY_DEFAULT);
    }
    Integer threads = Ints.tryParse(text);
    checkArgument(
        threads != null && threads >= 1 && threads <= MOST,
        "the system property %s must be a whole number from 1 to %s, but was '%s'",
        PROPERTY,
        MOST,
        text);
    return threads;
  }

  /** Returns the kernel of the caller's thread. */
  HostKernel kernel() {
    return kernel;
  }

  /**
   * Runs work on all positions, and returns when all of it is done.
   *
   * @param allPositions how many there are
   * @param bytes how much memory the work reads and writes
   */
  void run(long allPositions, long bytes, Work newWork) {
    int count = (int) Math.min(Math.min(threads, bytes / LEAST_BYTES), allPositions);
    if (count <= 1) {
      newWork.run(kernel, 0, allPositions);
      return;
    }
    work = newWork;
    positions = allPositions;
    long chunkBytes =
        Longs.constrainToRange(bytes / count / CHUNKS, LEAST_CHUNK_BYTES, MOST_CHUNK_BYTES);
    chunk = Math.max(1, chunkBytes / Math.max(1, bytes / allPositions) / LINE) * LINE;
    next.set(0);
    ended.set(0);
    failure.set(null);
    Helper[] helpers = helpers();
    int called = call(helpers, count - 1);
    takePart(kernel);
    awaitEndOf(helpers, called);
    work = NOTHING;
    Throwable failed = failure.get();
    if (failed instanceof Error error) {
      throw error;
    } else if (failed instanceof RuntimeException exception) {
      throw exception; // work throws nothing that is checked
    }
  }

  private Helper[] helpers() {
    if (helpers == null) {
      helpers = new Helper[threads - 1];
      kernels = new HostKernel[threads - 1];
      for (int i = 0; i < kernels.length; i++) {
        kernels[i] = kernel.another();
      }
    }
    return helpers;
  }

  /** Calls helpers, and returns how many there are: fewer where the system has no more threads. */
  private int call(Helper[] called, int count) {
    for (int i = 0; i < count; i++) {
      try {
        called[i] = Helper.call(this, kernels[i]);
      } catch (OutOfMemoryError e) {
        return i;
      }
    }
    return count;
  }

  /** Takes chunks until there are none, or one has failed. */
  void takePart(HostKernel own) {
    try {
      long begin = next.getAndAdd(chunk);
      while (begin < positions) {
        work.run(own, begin, Math.min(begin + chunk, positions));
        begin = next.getAndAdd(chunk);
      }
    } catch (RuntimeException | Error e) {
      failure.compareAndSet(null, e);
      next.set(positions);
    }
  }

  /** Tells that a helper has taken its last chunk. */
  void partEnded() {
    ended.incrementAndGet();
    Thread caller = waiting;
    if (caller != null) {
      LockSupport.unpark(caller);
    }
  }

  private void awaitEndOf(Helper[] called, int count) {
    int begun = 0;
    for (int i = 0; i < count; i++) {
      if (!called[i].dismiss(this)) {
        begun++;
      }
    }
    for (int look = 0; look < LOOKS && ended.get() < begun; look++) {
      Thread.onSpinWait();
    }
    waiting = Thread.currentThread();
    while (ended.get() < begun) {
      LockSupport.park(this);
    }
    waiting = null;
  }
}
