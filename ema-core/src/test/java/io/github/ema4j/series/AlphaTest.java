package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.schedule.Decays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AlphaTest {

  @ParameterizedTest
  @ValueSource(doubles = {1, 2, 9, 1e3, 1e12})
  void windowsAndBack(double window) {
    assertThat(Alpha.ofWindow(window)).isEqualTo(2 / (window + 1));
    assertThat(Alpha.window(Alpha.ofWindow(window))).isCloseTo(window, within(1e-15 * window));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.1, 1, 69, 1e3, 1e12})
  void halfLivesAndBack(double halfLife) {
    double alpha = Alpha.ofHalfLife(halfLife);
    assertThat(1 - alpha).isCloseTo(Decays.fromHalfLife(halfLife), within(1e-15));
    assertThat(Alpha.halfLife(alpha)).isCloseTo(halfLife, within(1e-13 * halfLife));
  }

  @Test
  void aWeightOfOneForgetsAtOnce() {
    assertThat(Alpha.window(1)).isEqualTo(1);
    assertThat(Alpha.halfLife(1)).isZero();
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-200, 1e-9, 0.5, 1, 40, 1e200})
  void theKalmanGainSolvesItsEquation(double rho) {
    double alpha = Alpha.ofKalman(3 * rho, 3);
    assertThat(alpha * alpha).isCloseTo(rho * (1 - alpha), within(1e-14 * Math.max(rho, 1)));
    assertThat(alpha).isBetween(0.0, 1.0);
  }

  @Test
  void kalmanGainsInClosedForm() {
    assertThat(Alpha.ofKalman(0, 1)).isZero();
    assertThat(Alpha.ofKalman(1, 2)).isEqualTo(0.5); // 1/4 = (1 - 1/2) / 2
    assertThat(Alpha.ofKalman(1e-12, 1)).isCloseTo(1e-6, within(1e-12)); // sqrt(rho)
  }

  @Test
  void refusesWhatIsOutOfRange() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Alpha.ofWindow(0.5))
        .withMessage("window must be at least 1 and finite, but was 0.5");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Alpha.ofHalfLife(0))
        .withMessage("halfLife must be above 0 and finite, but was 0.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Alpha.ofKalman(-1, 1))
        .withMessage("processVariance must be at least 0 and finite, but was -1.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Alpha.ofKalman(Double.POSITIVE_INFINITY, 1))
        .withMessage("processVariance must be at least 0 and finite, but was Infinity");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Alpha.ofKalman(1, 0))
        .withMessage("measurementVariance must be above 0 and finite, but was 0.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Alpha.window(0))
        .withMessage("alpha must be in (0, 1], but was 0.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Alpha.halfLife(Double.NaN))
        .withMessage("alpha must be in (0, 1], but was NaN");
  }
}
