package io.github.ema4j;

/**
 * Says how much of the average an update keeps. Implementations are stateless and thread-safe: the
 * same arguments give the same decay, so that a resumed run continues as if it had not stopped.
 */
@FunctionalInterface
public interface DecaySchedule {

  /**
   * Returns the decay of an update.
   *
   * @param time where this update ends, in the clock's unit (optimiser steps unless the user counts
   *     otherwise); the first update of one step has time 1
   * @param elapsed how much of that time passed since the update before, at least 1
   * @return the factor of the average so far, in [0, 1]
   */
  double decay(long time, long elapsed);

  /**
   * Returns the schedule that always keeps {@code decayPerStep}: {@code d^elapsed}.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  static DecaySchedule constant(double decayPerStep) {
    return new ConstantDecay(decayPerStep);
  }

  /**
   * Returns timm's inverse-power warm-up towards {@code decayPerStep} with its defaults, from which
   * others are made with {@link InversePowerWarmup#withPower} and its siblings.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  static InversePowerWarmup inversePowerWarmup(double decayPerStep) {
    return InversePowerWarmup.towards(decayPerStep);
  }
}
