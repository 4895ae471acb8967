package io.github.ema4j;

import static com.google.common.base.Preconditions.checkState;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The state machine of averages that are updated together: open, swapped into a model, or closed.
 *
 * <p>Calls exclude one another: one that finds another under way fails. Only copies of the shadows
 * are made beside them, by threads that wait for their turn.
 */
final class CallGate {
  private final AtomicBoolean inUse = new AtomicBoolean();
  private final ReentrantLock turn = new ReentrantLock();
  private boolean closed;
  private volatile @Nullable Swap swap;

  /** Does work that is allowed on open averages outside a swap. */
  <V extends @Nullable Object> V exclusively(String action, Supplier<V> work) {
    begin(action);
    try {
      return work.get();
    } finally {
      end();
    }
  }

  /**
   * Begins a call that is allowed on open averages outside a swap; without an exception, {@link
   * #end} has to follow.
   *
   * @throws IllegalStateException if another call is under way, or this one is not allowed
   */
  void begin(String action) {
    enter(action);
    try {
      requireOpen();
      checkState(
          swap == null, "cannot %s while it is swapped into a model; close the swap first", action);
    } catch (RuntimeException | Error e) {
      end();
      throw e;
    }
  }

  void end() {
    turn.unlock();
    inUse.set(false);
  }

  private void enter(String action) {
    checkState(
        inUse.compareAndSet(false, true),
        "cannot %s while another call on the average is under way; use it from one thread at a time",
        action);
    turn.lock();
  }

  void exclusively(String action, Runnable work) {
    exclusively(
        action,
        () -> {
          work.run();
          return this;
        });
  }

  /**
   * Does work that no other call interrupts.
   *
   * @throws IllegalStateException if another call is under way
   */
  <V extends @Nullable Object> V whileInUse(String action, Supplier<V> work) {
    enter(action);
    try {
      return work.get();
    } finally {
      end();
    }
  }

  /** Does work on open averages between two calls, waiting for the one that is under way. */
  <V> V betweenCalls(Supplier<V> work) {
    turn.lock();
    try {
      requireOpen();
      return work.get();
    } finally {
      turn.unlock();
    }
  }

  void requireOpen() {
    checkState(!closed, "the average is closed");
  }

  /** Tells whether the averages can be closed: they are open, and no model holds one of them. */
  boolean isClosable() {
    return !closed && swap == null;
  }

  /** Returns the swap that is open, if one is. */
  @Nullable Swap swap() {
    return swap;
  }

  void swapOpened(Swap opened) {
    swap = opened;
  }

  void swapClosed() {
    swap = null;
  }

  /**
   * Closes the averages.
   *
   * @return whether they were open
   */
  boolean close() {
    checkState(swap == null, "cannot close the average during a swap; close the swap first");
    boolean wasOpen = !closed;
    closed = true;
    return wasOpen;
  }
}
