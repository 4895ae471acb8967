package io.github.ema4j.series;

import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

/** What stands before an average: counts values, and deals with those that are not finite. */
final class Intake {
  private NonFinite policy = NonFinite.REFUSE;
  private long count;
  private long skipped;

  /** How many values are still to come until the last that propagated has left the window. */
  private long masked;

  void policy(NonFinite newPolicy) {
    checkState(
        count == 0 && skipped == 0,
        "what becomes of values that are not finite must be said before the first value");
    policy = requireNonNull(newPolicy, "policy");
  }

  /**
   * Takes note of a value.
   *
   * @param window how many values the average looks back on
   * @return whether it is one for the average
   * @throws IllegalArgumentException if it is refused; nothing has changed then
   */
  boolean takes(double x, long window) {
    if (Math.abs(x) <= MovingAverage.LIMIT) {
      count++;
      masked = Math.max(0, masked - 1);
      return true;
    }
    if (policy == NonFinite.REFUSE) {
      throw new IllegalArgumentException(
          "the value must be finite and within ±"
              + MovingAverage.LIMIT
              + ", but was "
              + x
              + "; leave it out, or use onNonFinite(SKIP) or onNonFinite(PROPAGATE)");
    }
    skipped++;
    if (policy == NonFinite.PROPAGATE) {
      masked = window;
    }
    return false;
  }

  long count() {
    return count;
  }

  long skipped() {
    return skipped;
  }

  /** Tells whether the average has a value to show. */
  boolean isValid() {
    return count > 0 && masked == 0;
  }

  void write(SeriesState to) {
    to.put("onNonFinite", policy.name());
    to.put("count", count);
    to.put("skipped", skipped);
    to.put("masked", masked);
  }

  static Intake read(SeriesState from) {
    Intake intake = new Intake();
    intake.policy = from.choice("onNonFinite", NonFinite.class);
    intake.count = from.whole("count", Long.MAX_VALUE);
    intake.skipped = from.whole("skipped", Long.MAX_VALUE);
    intake.masked = from.whole("masked", Long.MAX_VALUE);
    return intake;
  }
}
