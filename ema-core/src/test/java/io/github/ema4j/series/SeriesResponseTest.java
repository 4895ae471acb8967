package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lag, noise and frequency response as docs/series.md has them, from answers to an impulse. */
class SeriesResponseTest {
  private static final int LENGTH = 20_000;

  /** Returns the weights that an average gives to values of each age, long after its start. */
  private static double[] weights(MovingAverage average) {
    average.smooth(new double[LENGTH]);
    double[] impulse = new double[LENGTH];
    impulse[0] = 1;
    return average.smooth(impulse);
  }

  private static double lag(double[] weights) {
    return IntStream.range(0, LENGTH).mapToDouble(age -> age * weights[age]).sum();
  }

  private static double noise(double[] weights) {
    return Arrays.stream(weights).map(weight -> weight * weight).sum();
  }

  private static double gain(double[] weights, double w) {
    double cosine = 0;
    double sine = 0;
    for (int age = 0; age < LENGTH; age++) {
      cosine += weights[age] * Math.cos(w * age);
      sine += weights[age] * Math.sin(w * age);
    }
    return Math.hypot(cosine, sine);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 20, 101})
  void simple(int n) {
    double[] weights = weights(MovingAverage.simple(n));

    assertThat(lag(weights)).isCloseTo((n - 1) / 2.0, within(1e-10));
    assertThat(noise(weights)).isCloseTo(1.0 / n, within(1e-12));
    for (double w : new double[] {0.01, 0.1, 1, 3}) {
      double expected = Math.abs(Math.sin(n * w / 2) / (n * Math.sin(w / 2)));
      assertThat(gain(weights, w)).isCloseTo(expected, within(1e-12));
    }
    if (n > 10) {
      assertThat(gain(weights, 2 * Math.PI / n)).as("a period of n").isLessThan(1e-12);
      assertThat(gain(weights, Math.PI / n)).as("a period of 2n").isCloseTo(0.64, within(0.01));
      assertThat(gain(weights, 2 * Math.PI / (2.26 * n))).isCloseTo(Math.sqrt(0.5), within(0.01));
      assertThat(gain(weights, 2.86 * Math.PI / n)).as("side lobe").isCloseTo(0.22, within(0.01));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 29, 101})
  void weighted(int n) {
    double[] weights = weights(MovingAverage.weighted(n));

    assertThat(lag(weights)).isCloseTo((n - 1) / 3.0, within(1e-10));
    assertThat(noise(weights)).isCloseTo(2 * (2.0 * n + 1) / (3.0 * n * (n + 1)), within(1e-12));
    if (n > 100) {
      assertThat(gain(weights, 0.5)).isCloseTo(2 / (n * 0.5), within(0.005));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 5, 20, 101})
  void exponential(int n) {
    double a = Alpha.ofWindow(n);
    double[] weights = weights(MovingAverage.exponential(a));

    assertThat(lag(weights)).isCloseTo((1 - a) / a, within(1e-10));
    assertThat(lag(weights)).as("as simple").isCloseTo((n - 1) / 2.0, within(1e-10));
    assertThat(noise(weights)).isCloseTo(a / (2 - a), within(1e-12));
    assertThat(noise(weights)).as("as simple").isCloseTo(1.0 / n, within(1e-12));
    for (double w : new double[] {0.01, 0.1, 1, Math.PI}) {
      double expected = a / Math.sqrt(1 - 2 * (1 - a) * Math.cos(w) + (1 - a) * (1 - a));
      assertThat(gain(weights, w)).isCloseTo(expected, within(1e-12));
    }
    if (n > 10) { // half of the power needs w to be below pi
      double halfPower = Math.acos(1 - a * a / (2 * (1 - a)));
      assertThat(gain(weights, halfPower)).isCloseTo(Math.sqrt(0.5), within(1e-12));
      assertThat(2 * Math.PI / halfPower / n).isCloseTo(3.1, within(0.2));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-3, 0.01, 1})
  void noExponentialAverageFollowsAWanderingValueBetterThanTheKalmanGain(double q) {
    double best = Alpha.ofKalman(q, 1);
    for (double other : new double[] {best / 1.1, best * 1.1}) {
      assertThat(error(other, q)).isGreaterThan(error(best, q));
    }
  }

  /** The mean squared error of an average of {@code a}: the noise it leaves, and its lateness. */
  private static double error(double a, double q) {
    double[] weights = weights(MovingAverage.exponential(a));
    double error = noise(weights);
    double older = 1;
    for (double weight : weights) {
      older -= weight; // what depends on values from before this step does not know the step
      error += q * older * older;
    }
    return error;
  }
}
