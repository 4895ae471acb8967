package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class NonFiniteTest {
  private static final double NAN = Double.NaN;

  @ParameterizedTest
  @ValueSource(doubles = {NAN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, -1.1e150})
  void refusedValuesChangeNothing(double value) {
    MovingAverage average = MovingAverage.weighted(3);
    average.smooth(1, 2);
    String before = average.toJson();

    assertThatIllegalArgumentException()
        .isThrownBy(() -> average.add(value))
        .withMessage(
            "the value must be finite and within ±1.0E150, but was "
                + value
                + "; leave it out, or use onNonFinite(SKIP) or onNonFinite(PROPAGATE)");
    assertThat(average.toJson()).isEqualTo(before);
  }

  @ParameterizedTest
  @EnumSource(Kinds.class)
  void skippedValuesAreAsIfTheyHadNotCome(Kinds kind) {
    MovingAverage without = kind.make();
    MovingAverage average = kind.make().onNonFinite(NonFinite.SKIP);
    assertThat(average.add(NAN)).isNaN(); // nothing to show yet
    for (double x : Streams.WALK.values(31, 50)) {
      assertThat(average.add(x)).isEqualTo(without.add(x));
      assertThat(average.add(Double.NEGATIVE_INFINITY)).isEqualTo(without.value());
    }
    assertThat(average.count()).isEqualTo(50);
    assertThat(average.skipped()).isEqualTo(51);
  }

  /** All windows are of ten values, but for the two that are said to be longer. */
  @ParameterizedTest
  @EnumSource(Kinds.class)
  void propagatedValuesAreGoneAfterTheWindow(Kinds kind) {
    MovingAverage without = kind.make();
    MovingAverage average = kind.make().onNonFinite(NonFinite.PROPAGATE);
    double[] stream = Streams.WALK.values(32, 3 * kind.window());
    for (int k = 0; k < stream.length; k++) {
      if (k == kind.window() || k == kind.window() + 2) {
        assertThat(average.add(NAN)).isNaN();
      }
      double expected = without.add(stream[k]);
      boolean inWindow = k >= kind.window() && k < 2 * kind.window() + 1;
      assertThat(average.add(stream[k]))
          .as("value %d", k)
          .isEqualTo(Double.valueOf(inWindow ? NAN : expected)); // boxed, NaN is NaN
    }
    assertThat(average.skipped()).isEqualTo(2);
  }

  @Test
  void aMeanOfEverythingThatHasSeenNaNNeverRecovers() {
    MovingAverage average = MovingAverage.kalman(0, 1).onNonFinite(NonFinite.PROPAGATE);
    average.add(NAN);
    assertThat(average.smooth(new double[100])).containsOnly(NAN);
  }

  @Test
  void theLargestValuesAreAveraged() {
    for (Kinds kind : Kinds.values()) {
      MovingAverage average = kind.make();
      average.smooth(1e150, -1e150, 1e150, 1e150, 0, -1e150);
      assertThat(average.value()).as("%s", kind).isFinite();
      average.smooth(new double[5_000]);
      assertThat(average.value()).as("%s", kind).isFinite();
    }
  }

  @Test
  void thePolicyIsSaidBeforeTheFirstValue() {
    MovingAverage average = MovingAverage.simple(3);
    average.add(1);
    assertThatIllegalStateException()
        .isThrownBy(() -> average.onNonFinite(NonFinite.SKIP))
        .withMessage(
            "what becomes of values that are not finite must be said before the first value");
    MovingAverage skipping = MovingAverage.simple(3).onNonFinite(NonFinite.SKIP);
    skipping.add(NAN);
    assertThatIllegalStateException().isThrownBy(() -> skipping.onNonFinite(NonFinite.PROPAGATE));
  }
}
