package io.github.ema4j.report;

/**
 * How long the average took.
 *
 * @param updates the number of updates that were timed
 * @param updateNanos how long they took together
 * @param nanos how long the whole training took
 */
record EmaTime(long updates, long updateNanos, long nanos) {

  /** Returns how long an update took; NaN if there was none. */
  double perUpdate() {
    return updates == 0 ? Double.NaN : (double) updateNanos / updates;
  }

  /** Returns the part of the training that the average took. */
  double share() {
    return (double) updateNanos / nanos;
  }
}
