package io.github.ema4j.schedule;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.internal.Checks;

/**
 * Lets the half-life grow with time up to its final value: {@code 2^(-elapsed / max(min(halfLife,
 * rampRatio * time), 1e-8))}, the traditional EMA of EDM2 (Karras et al. 2024), where the clock
 * counts samples and the ratio is .09. Without a ramp it is a {@link HalfLife}.
 *
 * @param halfLife the final half-life, in the clock's unit, above 0
 * @param rampRatio the half-life during the ramp, as a part of the time so far, above 0
 */
public record Edm2Ramp(double halfLife, double rampRatio) implements DecaySchedule {
  private static final double LEAST_HALF_LIFE = 1e-8;

  /**
   * Checks the parameters.
   *
   * @throws IllegalArgumentException if one is not above 0 and finite
   */
  public Edm2Ramp {
    Checks.positive("halfLife", halfLife);
    Checks.positive("rampRatio", rampRatio);
  }

  /** Returns this schedule with another ratio. */
  public Edm2Ramp withRampRatio(double newRampRatio) {
    return new Edm2Ramp(halfLife, newRampRatio);
  }

  @Override
  public double decay(long time, long elapsed) {
    double now = Math.min(halfLife, rampRatio * time);
    return StrictMath.pow(0.5, elapsed / Math.max(now, LEAST_HALF_LIFE));
  }
}
