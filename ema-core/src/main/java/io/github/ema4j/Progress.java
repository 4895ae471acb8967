package io.github.ema4j;

import io.github.ema4j.internal.Checks;

/**
 * How far an average has come.
 *
 * @param updates the number of updates
 * @param time the time passed since the start, in the clock's unit (steps unless the user counts
 *     otherwise)
 * @param decay the decay of the last update; NaN before the first
 * @param startWeight the share of the average that its starting point still has, in [0, 1]: the
 *     product of all decays since the start or since the last {@code set} or {@code load}
 */
public record Progress(long updates, long time, double decay, double startWeight) {

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  public Progress {
    Checks.notNegative("updates", updates);
    Checks.notNegative("time", time);
    if (!Double.isNaN(decay)) {
      Checks.decay("decay", decay);
    }
    Checks.decay("startWeight", startWeight);
  }

  /**
   * Returns how many updates the average looks back on at its present decay: {@code 1 / (1 - d)};
   * infinite for a decay of 1, NaN before the first update.
   */
  public double effectiveWindow() {
    return 1 / (1 - decay);
  }
}
