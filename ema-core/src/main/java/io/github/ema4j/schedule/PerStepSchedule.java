package io.github.ema4j.schedule;

import io.github.ema4j.DecaySchedule;

/**
 * A schedule that is given as the decay of one step, one unit of the clock's time. An update over
 * {@code k} steps uses {@code decayOfStep(time)^k}: what {@code k} updates with the decay of the
 * last of them would keep.
 */
public interface PerStepSchedule extends DecaySchedule {

  /**
   * Returns the decay of the one step that ends at a time.
   *
   * @param time where the step ends, at least 1
   * @return the factor of the average so far, in [0, 1]
   */
  double decayOfStep(long time);

  /** Returns {@code decayOfStep(time)^elapsed}. */
  @Override
  default double decay(long time, long elapsed) {
    return StrictMath.pow(decayOfStep(time), (double) elapsed);
  }
}
