package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChecksTest {

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.0, Double.MIN_VALUE, 0.5, 1})
  void everythingFromZeroToOneIsADecay(double value) {
    assertThatCode(() -> Checks.decay("decay", value)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.1, 1.5, Double.NaN, Double.POSITIVE_INFINITY, -Double.MIN_VALUE})
  void nothingElseIsADecay(double value) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Checks.decay("factor", value))
        .withMessage("factor must be in [0, 1], but was " + value);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void aPositiveNumberIsAboveZeroAndFinite(double value) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Checks.positive("gamma", value))
        .withMessage("gamma must be above 0 and finite, but was " + value);
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE})
  void aCountIsNotNegative(long value) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Checks.notNegative("updateAfter", value))
        .withMessage("updateAfter must not be negative, but was " + value);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.999, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void aFactorIsAtLeastOneAndFinite(double value) {
    assertThatCode(() -> Checks.atLeastOne("window", 1.0)).doesNotThrowAnyException();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Checks.atLeastOne("window", value))
        .withMessage("window must be at least 1 and finite, but was " + value);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void aDurationIsAtLeastOne(long value) {
    assertThatCode(() -> Checks.atLeastOne("duration", 1L)).doesNotThrowAnyException();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Checks.atLeastOne("duration", value))
        .withMessage("duration must be at least 1, but was " + value);
  }
}
