package io.github.ema4j.series;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.internal.Checks;

/**
 * Converts between the weight that an exponential average gives to the newest value, its window,
 * its half-life and the gain of a Kalman filter. A weight of {@code alpha} is the decay {@code 1 -
 * alpha}.
 */
public final class Alpha {
  private static final double LOG_2 = StrictMath.log(2);

  private Alpha() {}

  /**
   * Returns the weight whose values are as old on average as those of a simple moving average of n
   * values: {@code 2 / (n + 1)}.
   *
   * @throws IllegalArgumentException if the window is not at least 1 and finite
   */
  public static double ofWindow(double window) {
    Checks.atLeastOne("window", window);
    return 2 / (window + 1);
  }

  /**
   * Returns the weight under which the past counts half after so many values: {@code 1 - 2^(-1 /
   * halfLife)}.
   *
   * @throws IllegalArgumentException if the half-life is not above 0 and finite
   */
  public static double ofHalfLife(double halfLife) {
    Checks.positive("halfLife", halfLife);
    return -StrictMath.expm1(-LOG_2 / halfLife);
  }

  /**
   * Returns the gain at which the Kalman filter of a random walk settles, which is then an
   * exponential average of this weight: with {@code rho = processVariance / measurementVariance},
   * the root of {@code alpha^2 / (1 - alpha) = rho} in [0, 1).
   *
   * @param processVariance how much the true value moves from one measurement to the next; at least
   *     0
   * @param measurementVariance how much a measurement differs from the true value; above 0
   * @throws IllegalArgumentException if one is out of its range or not finite
   */
  public static double ofKalman(double processVariance, double measurementVariance) {
    checkVariances(processVariance, measurementVariance);
    double rho = processVariance / measurementVariance;
    // The root (sqrt(rho^2 + 4 rho) - rho) / 2, written so that nothing cancels or overflows.
    return rho == 0 ? 0 : 2 / (1 + Math.sqrt(1 + 4 / rho));
  }

  /**
   * Returns the length of the simple moving average whose values are as old on average: {@code 2 /
   * alpha - 1}.
   *
   * @throws IllegalArgumentException if alpha is not in (0, 1]
   */
  public static double window(double alpha) {
    check("alpha", alpha);
    return 2 / alpha - 1;
  }

  /**
   * Returns after how many values the past counts half: {@code -log 2 / log(1 - alpha)}; 0 for 1.
   *
   * @throws IllegalArgumentException if alpha is not in (0, 1]
   */
  public static double halfLife(double alpha) {
    check("alpha", alpha);
    return LOG_2 / Math.abs(StrictMath.log1p(-alpha));
  }

  static void check(String name, double alpha) {
    checkArgument(alpha > 0 && alpha <= 1, "%s must be in (0, 1], but was %s", name, alpha);
  }

  static void checkVariances(double process, double measurement) {
    checkArgument(
        process >= 0 && process < Double.POSITIVE_INFINITY,
        "processVariance must be at least 0 and finite, but was %s",
        process);
    Checks.positive("measurementVariance", measurement);
  }
}
