package io.github.ema4j;

import java.util.function.Supplier;

/**
 * Hears of what happens to an average, for metrics and reports. It is called by the thread that
 * called the average, when that call's work is done: what it throws reaches the caller, and undoes
 * nothing.
 *
 * <p>An average without a listener takes no note of time.
 */
public interface AverageListener {

  /**
   * Is called when the average has started.
   *
   * @param average for reading, at any time; {@link Average#progress} also by other threads
   * @param config what it was made with
   */
  default void started(Average<?> average, EmaConfig config) {}

  /**
   * Is called after each update. Calls at which none was due, or which the {@link NonFiniteGuard}
   * skipped, are not told; they are in {@link Progress}.
   *
   * @param nanos how long the update took, in nanoseconds
   * @param drift measures how far the model is from the average: one pass over both each time; good
   *     until this call returns
   */
  default void updated(Average<?> average, long nanos, Supplier<Drift> drift) {}

  /**
   * Is called before the average is closed.
   *
   * @param drift as in {@link #updated}, of the model that the average was updated with last; fails
   *     where that is closed already
   */
  default void closing(Average<?> average, Supplier<Drift> drift) {}
}
