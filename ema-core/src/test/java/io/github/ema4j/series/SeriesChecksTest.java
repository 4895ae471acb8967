package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** What averages cannot be made with. */
class SeriesChecksTest {

  private static void assertRefused(ThrowingCallable making, String message) {
    assertThatIllegalArgumentException().isThrownBy(making).withMessage(message);
  }

  @Test
  void windows() {
    assertRefused(() -> MovingAverage.simple(0), "window must be in [1, 16777216], but was 0");
    assertRefused(
        () -> MovingAverage.weighted((1 << 24) + 1),
        "window must be in [1, 16777216], but was 16777217");
    assertRefused(
        () -> MovingAverage.kaufman(-1, 2, 30), "window must be in [1, 16777216], but was -1");
    assertRefused(
        () -> MovingAverage.kaufman(10, 0, 30), "fastWindow must be in [1, 16777216], but was 0");
    assertRefused(
        () -> MovingAverage.kaufman(10, 2, 0), "slowWindow must be in [1, 16777216], but was 0");
    assertRefused(
        () -> MovingAverage.kaufman(10, 31, 30),
        "fastWindow 31 must not be longer than slowWindow 30");
    assertRefused(
        () -> MovingAverage.adaptive(0.1, 0.1, 0, 5),
        "shortWindow must be in [1, 16777216], but was 0");
    assertRefused(
        () -> MovingAverage.adaptive(0.1, 0.1, 5, 0),
        "longWindow must be in [1, 16777216], but was 0");
    assertRefused(
        () -> MovingAverage.adaptive(0.1, 0.1, 6, 5),
        "shortWindow 6 must not be longer than longWindow 5");
  }

  @Test
  void alphas() {
    assertRefused(() -> MovingAverage.exponential(0), "alpha must be in (0, 1], but was 0.0");
    assertRefused(() -> MovingAverage.biasCorrected(1.5), "alpha must be in (0, 1], but was 1.5");
    assertRefused(
        () -> MovingAverage.adaptive(2, 0.1, 5, 50), "alpha must be in (0, 1], but was 2.0");
    assertRefused(
        () -> MovingAverage.adaptive(0.1, 0, 5, 50), "minAlpha must be in (0, 1], but was 0.0");
    assertRefused(
        () -> MovingAverage.adaptive(0.1, 0.2, 5, 50), "minAlpha 0.2 must not be above alpha 0.1");
  }

  @Test
  void weights() {
    assertRefused(
        () -> MovingAverage.weighted(1, -1, 2), "weights must not be negative, but one was -1.0");
    assertRefused(
        () -> MovingAverage.weighted(1, Double.NaN),
        "weights must not be negative, but one was NaN");
    assertRefused(
        () -> MovingAverage.weighted(1e150, 1e150),
        "the weights must sum up to 1.0E150 at most, not to 2.0E150");
    assertRefused(
        () -> MovingAverage.weighted(1.0, 0.0),
        "the last weight, that of the newest value, must be above 0");
    assertRefused(
        () -> MovingAverage.weighted(),
        "the last weight, that of the newest value, must be above 0");
  }

  @Test
  void variances() {
    assertRefused(
        () -> MovingAverage.kalman(-1, 1),
        "processVariance must be at least 0 and finite, but was -1.0");
    assertRefused(
        () -> MovingAverage.kalman(1, 0),
        "measurementVariance must be above 0 and finite, but was 0.0");
  }

  @Test
  void theWeightsGivenAreCopied() {
    double[] weights = {1, 1};
    MovingAverage average = MovingAverage.weighted(weights);
    weights[0] = 1_000;
    assertThat(average.smooth(0, 1)[1]).isEqualTo(0.5);
  }
}
