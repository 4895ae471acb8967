package io.github.ema4j.schedule;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.internal.Checks;

/**
 * Halves the weight of the past every so often: {@code 2^(-elapsed / halfLife)}, as Composer's EMA
 * does. The unit is the clock's, whatever passes between updates: the same setting serves steps of
 * any size where the clock counts samples.
 *
 * @param halfLife after how long a model's weight in the average has halved, in the clock's unit,
 *     above 0
 */
public record HalfLife(double halfLife) implements DecaySchedule {

  /**
   * Checks the half-life.
   *
   * @throws IllegalArgumentException if it is not above 0 and finite
   */
  public HalfLife {
    Checks.positive("halfLife", halfLife);
  }

  /**
   * Returns a half-life of so many epochs.
   *
   * @param halfLifeEpochs the half-life in epochs, above 0
   * @param timePerEpoch the length of an epoch in the clock's unit: its steps, or its samples
   * @throws IllegalArgumentException if one is out of its range
   */
  public static HalfLife ofEpochs(double halfLifeEpochs, long timePerEpoch) {
    Checks.positive("halfLifeEpochs", halfLifeEpochs);
    Checks.atLeastOne("timePerEpoch", timePerEpoch);
    return new HalfLife(halfLifeEpochs * timePerEpoch);
  }

  @Override
  public double decay(long time, long elapsed) {
    return StrictMath.pow(0.5, elapsed / halfLife);
  }
}
