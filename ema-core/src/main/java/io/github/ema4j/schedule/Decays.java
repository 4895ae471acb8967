package io.github.ema4j.schedule;

import io.github.ema4j.internal.Checks;

/** Converts between the decay of one update, its half-life and its window. */
public final class Decays {
  private static final double LOG_2 = StrictMath.log(2);

  private Decays() {}

  /**
   * Returns the decay that halves the past in so many updates: {@code 2^(-1 / halfLife)}.
   *
   * @throws IllegalArgumentException if the half-life is not above 0 and finite
   */
  public static double fromHalfLife(double halfLife) {
    Checks.positive("halfLife", halfLife);
    return StrictMath.pow(0.5, 1 / halfLife);
  }

  /**
   * Returns how many updates halve the past: {@code -log 2 / log decay}; 0 for a decay of 0,
   * infinite for 1.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  public static double halfLife(double decay) {
    Checks.decay("decay", decay);
    return LOG_2 / Math.abs(StrictMath.log(decay));
  }

  /**
   * Returns the decay whose values are as old on average as those of a simple moving average of n
   * values: {@code 1 - 2 / (n + 1)}.
   *
   * @throws IllegalArgumentException if the window is not at least 1 and finite
   */
  public static double fromWindow(double window) {
    Checks.atLeastOne("window", window);
    return 1 - 2 / (window + 1);
  }

  /**
   * Returns the length of the simple moving average whose values are as old on average: {@code (1 +
   * decay) / (1 - decay)}; infinite for a decay of 1. About twice {@code 1 / (1 - decay)}, the
   * number of values that would weigh as much as the newest.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  public static double window(double decay) {
    Checks.decay("decay", decay);
    return (1 + decay) / (1 - decay);
  }

  /**
   * Returns the decay for a batch, or a stretch of time, that is kappa times as large: {@code
   * decay^kappa}.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1] or kappa not above 0 and finite
   */
  public static double scaled(double decay, double kappa) {
    Checks.decay("decay", decay);
    Checks.positive("kappa", kappa);
    return StrictMath.pow(decay, kappa);
  }
}
