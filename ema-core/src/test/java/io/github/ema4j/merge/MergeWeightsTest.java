package io.github.ema4j.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MergeWeightsTest {

  @Test
  void aPlainMeanWeighsAllAlike() {
    assertThat(MergeWeights.uniform(4)).containsExactly(0.25, 0.25, 0.25, 0.25);
    assertThat(MergeWeights.uniform(1)).containsExactly(1);
  }

  /** Beside the updates themselves. */
  @ParameterizedTest
  @ValueSource(doubles = {0, 0.5, 0.9, 1})
  void decayedWeightsAreThoseOfUpdatesFromTheFirstOn(double decay) {
    double[] expected = {1, 0, 0, 0, 0};
    for (int update = 1; update < 5; update++) {
      for (int i = 0; i < 5; i++) {
        expected[i] = decay * expected[i] + (i == update ? 1 - decay : 0);
      }
    }

    double[] weights = MergeWeights.decayed(5, decay);

    assertThat(weights).containsExactly(expected, within(1e-15));
    assertThat(Arrays.stream(weights).sum()).isCloseTo(1, within(1e-15));
  }

  @Test
  void givenWeightsAreDividedByTheirSum() {
    assertThat(MergeWeights.normalized(1, 2, 5)).containsExactly(0.125, 0.25, 0.625);
    assertThat(MergeWeights.normalized(3, -1)).containsExactly(1.5, -0.5);
  }

  @Test
  void weightsOfNoMeaningAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> MergeWeights.uniform(0))
        .withMessage("inputs must be at least 1, but was 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> MergeWeights.decayed(0, 0.5))
        .withMessage("inputs must be at least 1, but was 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> MergeWeights.decayed(2, 1.5))
        .withMessage("decay must be in [0, 1], but was 1.5");
    assertThatIllegalArgumentException()
        .isThrownBy(MergeWeights::normalized)
        .withMessage("there are no weights");
    for (double[] none : new double[][] {{1, -1}, {0, 0}, {1, Double.NaN}, {1, 1 / 0.0}}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> MergeWeights.normalized(none))
          .withMessage(
              "weights must be finite and add up to more than 0, but were "
                  + Arrays.toString(none));
    }
  }
}
