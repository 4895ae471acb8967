package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The averages against their definitions in decimal arithmetic. */
class MovingAverageTest {
  /** A hundredth of what is promised, in parts of the largest value. */
  private static final double TOLERANCE = 1e-14;

  /** Streams with a seed each. */
  static List<Arguments> streams() {
    List<Arguments> streams = new ArrayList<>();
    for (Streams stream : Streams.values()) {
      streams.add(Arguments.of(stream, 20L + streams.size()));
    }
    return streams;
  }

  /**
   * Compares.
   *
   * @param window among how many values, at each time, the largest is sought
   */
  private static void assertExact(
      double[] stream, int window, MovingAverage average, Exact.Average exact) {
    for (int k = 0; k < stream.length; k++) {
      double value = average.add(stream[k]);
      double expected = exact.add(Exact.of(stream[k])).doubleValue();
      double largest =
          IntStream.rangeClosed(Math.max(0, k - window + 1), k)
              .mapToDouble(i -> Math.abs(stream[i]))
              .max()
              .orElseThrow();
      assertThat(value).as("value %d", k).isCloseTo(expected, within(TOLERANCE * largest));
    }
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void simpleIsTheMeanOfTheWindow(Streams shape, long seed) {
    for (int window : new int[] {1, 2, 3, 10, 99}) {
      double[] stream = shape.values(seed, 6 * window + 50);
      assertExact(stream, window, MovingAverage.simple(window), Exact.simple(stream, window));
    }
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void weightedFallsInEvenSteps(Streams shape, long seed) {
    for (int window : new int[] {1, 2, 3, 10, 99}) {
      double[] stream = shape.values(seed, 6 * window + 50);
      assertExact(stream, window, MovingAverage.weighted(window), Exact.linear(stream, window));
    }
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void weightsCanBeGiven(Streams shape, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    for (int window : new int[] {1, 2, 7, 31}) {
      double[] weights = random.doubles(window).toArray();
      double[] stream = shape.values(seed, 4 * window + 20);
      assertExact(stream, window, MovingAverage.weighted(weights), Exact.weighted(stream, weights));
    }
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void exponentialStartsWithTheFirstValue(Streams shape, long seed) {
    for (double alpha : new double[] {1, 0.5, 0.1, 2e-3}) {
      double[] stream = shape.values(seed, 300);
      assertExact(
          stream, stream.length, MovingAverage.exponential(alpha), Exact.exponential(alpha));
    }
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void biasCorrectedStartsWithNothing(Streams shape, long seed) {
    for (double alpha : new double[] {1, 0.5, 0.1, 2e-3, 1e-9}) {
      double[] stream = shape.values(seed, 300);
      assertExact(
          stream, stream.length, MovingAverage.biasCorrected(alpha), Exact.biasCorrected(alpha));
    }
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void adaptiveFollowsTheVariance(Streams shape, long seed) {
    double[] stream = shape.values(seed, 300);
    assertExact(
        stream,
        stream.length,
        MovingAverage.adaptive(0.1, 0.01, 5, 50),
        Exact.adaptive(0.1, 0.01, 5, 50));
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void kaufmanFollowsTheEfficiency(Streams shape, long seed) {
    for (int window : new int[] {1, 2, 10}) {
      double[] stream = shape.values(seed, 300);
      assertExact(
          stream,
          stream.length,
          MovingAverage.kaufman(window, 2, 30),
          Exact.kaufman(stream, window, 2, 30));
    }
  }

  @ParameterizedTest(name = "{0}, seed {1}")
  @MethodSource("streams")
  void kalmanIsTheTextbooks(Streams shape, long seed) {
    for (double q : new double[] {0, 1e-6, 0.01, 3}) {
      double[] stream = shape.values(seed, 300);
      assertExact(stream, stream.length, MovingAverage.kalman(q, 0.25), Exact.kalman(q, 0.25));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1_000, 10_000})
  void longWindowsAreAsExact(int window) {
    double alpha = Alpha.ofWindow(window);
    double[] stream = Streams.WALK.values(7, 2 * window + 7);
    assertClose(stream, MovingAverage.simple(window), Exact.simple(stream, window));
    assertClose(stream, MovingAverage.weighted(window), Exact.linear(stream, window));
    int length = Math.min(stream.length, 3_000); // decimal arithmetic takes long
    double[] head = Arrays.copyOf(stream, length);
    assertClose(head, MovingAverage.exponential(alpha), Exact.exponential(alpha));
  }

  /** Compares as {@code assertExact} does, with the largest of all values. */
  private static void assertClose(double[] stream, MovingAverage average, Exact.Average exact) {
    double largest = Arrays.stream(stream).map(Math::abs).max().orElseThrow();
    double worst = 0;
    for (double x : stream) {
      worst = Math.max(worst, Math.abs(average.add(x) - exact.add(Exact.of(x)).doubleValue()));
    }
    assertThat(worst).isLessThan(TOLERANCE * largest);
  }

  @Test
  void whatHasLeftTheWindowLeavesNoTrace() {
    for (MovingAverage average :
        List.of(
            MovingAverage.simple(4),
            MovingAverage.weighted(4),
            MovingAverage.weighted(1, 2, 3, 4))) {
      average.smooth(3, 1e140, -7e120, 3);
      assertThat(average.smooth(0.1, 0.1, 0.1, 0.1, 0.1, 0.1)[3]).isEqualTo(0.1);
      assertThat(average.value()).isEqualTo(0.1);
    }
  }

  @Test
  void averagesAsAHandWouldComputeThem() {
    assertThat(MovingAverage.simple(3).smooth(1, 2, 3, 4, 8)).containsExactly(1, 1.5, 2, 3, 5);
    assertThat(MovingAverage.weighted(3).smooth(1, 2, 3, 4))
        .containsExactly(1, 5.0 / 3, 14.0 / 6, 20.0 / 6);
    assertThat(MovingAverage.weighted(3, 0, 1).smooth(4, 8, 0)).containsExactly(4, 8, 3);
    assertThat(MovingAverage.exponential(0.5).smooth(4, 8, 0)).containsExactly(4, 6, 3);
    // Up by two in one step of four, then a straight way
    assertThat(MovingAverage.kaufman(1, 1, 3).smooth(4, 8)).containsExactly(4, 8);
    // Gains 1, then (1 + 1/2) / (1 + 1/2 + 1) = 3/5
    assertThat(MovingAverage.kalman(1, 2).smooth(5, 10)).containsExactly(5, 8);
  }

  /** {@code last = w last + (1 - w) x}, shown as {@code last / (1 - w^n)}: here w is 0.6. */
  @Test
  void biasCorrectedIsTheSmoothingOfTensorBoard() {
    double[] smooth = MovingAverage.biasCorrected(1 - 0.6).smooth(1, 2, 3);

    assertThat(smooth[0]).isEqualTo(1);
    assertThat(smooth[1]).isCloseTo(1.04 / 0.64, within(1e-15));
    assertThat(smooth[2]).isCloseTo(1.824 / 0.784, within(1e-15));
  }

  @Test
  void theWeightIsWhatTheNewestValueCounts() {
    for (MovingAverage average :
        List.of(
            MovingAverage.simple(3),
            MovingAverage.weighted(3),
            MovingAverage.weighted(2, 1, 4),
            MovingAverage.exponential(0.3),
            MovingAverage.biasCorrected(0.3),
            MovingAverage.kalman(0.5, 2))) {
      for (double x : new double[] {0, 0, 0, 0, 1}) {
        assertThat(average.count() == 0).isEqualTo(Double.isNaN(average.weight()));
        average.add(x);
      }
      assertThat(average.weight()).isCloseTo(average.value(), within(1e-15));
    }
  }

  @Test
  void adaptiveIsFastInUnrestAndNeverBelowTheLeastWeight() {
    MovingAverage average = MovingAverage.adaptive(0.2, 0.05, 5, 100);
    double[] calm = Streams.NOISE.values(3, 500);
    average.smooth(Arrays.stream(calm).map(x -> x / 100).toArray());
    double atRest = average.weight();
    average.smooth(5, -5, 5, -5);
    double inUnrest = average.weight();
    average.smooth(new double[50]);

    assertThat(atRest).isBetween(0.1, 0.3);
    assertThat(inUnrest).isBetween(0.4, 1.0);
    assertThat(average.weight()).isEqualTo(0.05);
  }

  @Test
  void kaufmanIsFastOnAWayAndSlowOnTheSpot() {
    MovingAverage average = MovingAverage.kaufman(10, 2, 30);
    average.smooth(IntStream.range(0, 20).asDoubleStream().toArray());
    assertThat(average.weight()).isCloseTo(4.0 / 9, within(1e-15)); // (2/3)^2
    average.smooth(IntStream.range(0, 21).mapToDouble(i -> i % 2).toArray());
    assertThat(average.weight()).isLessThan(0.02);
    average.smooth(IntStream.range(0, 20).mapToDouble(i -> 3).toArray());
    assertThat(average.weight()).isCloseTo(4.0 / 9, within(1e-15)); // stays where it is
  }

  @Test
  void theKalmanFilterSettlesAsAnExponentialAverage() {
    for (double[] variances : new double[][] {{1e-4, 1}, {0.3, 2}, {1e6, 1}}) {
      MovingAverage filter = MovingAverage.kalman(variances[0], variances[1]);
      filter.smooth(Streams.NOISE.values(11, 3_000));

      double alpha = Alpha.ofKalman(variances[0], variances[1]);
      assertThat(filter.weight()).isCloseTo(alpha, within(1e-15));
    }
  }

  @Test
  void aKalmanFilterOfWhatDoesNotMoveIsTheMeanOfAll() {
    MovingAverage filter = MovingAverage.kalman(0, 3);
    double[] stream = Streams.OFFSET.values(12, 1_000);

    assertThat(filter.smooth(stream)[999])
        .isCloseTo(MovingAverage.simple(1_000).smooth(stream)[999], within(1e-5));
    assertThat(filter.weight()).isEqualTo(1 / 1_000.0);
  }

  @Test
  void aSlowAverageDoesNotStall() {
    double alpha = 1e-12; // a step is below half a unit in the last place
    MovingAverage average = MovingAverage.exponential(alpha);
    average.add(0.5);
    for (int k = 0; k < 1_000_000; k++) {
      average.add(0.6);
    }
    assertThat(average.value() - 0.5).isCloseTo(1e-7, within(1e-13));
  }

  @Test
  void valueIsWhatAddReturned() {
    MovingAverage average = MovingAverage.weighted(3);
    assertThat(average.value()).isNaN();
    assertThat(average.add(2)).isEqualTo(2);
    assertThat(average.value()).isEqualTo(2);
    assertThat(average.count()).isEqualTo(1);
  }
}
