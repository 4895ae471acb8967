package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BandTest {

  @ParameterizedTest
  @EnumSource(Streams.class)
  void meanAndVarianceAreThoseOfTheirDefinition(Streams shape) {
    double alpha = 0.1;
    Band band = Band.of(alpha, 2.5);
    Exact.Average mean = Exact.biasCorrected(alpha);
    Exact.Variance variance = new Exact.Variance(alpha);
    double[] stream = shape.values(51, 500);
    double largest = 0;
    for (double x : stream) {
      band.add(x);
      largest = Math.max(largest, Math.abs(x));
      double expected = mean.add(Exact.of(x)).doubleValue();
      double sigma = Math.sqrt(variance.add(Exact.of(x)).doubleValue());
      assertThat(band.mean()).isCloseTo(expected, within(1e-14 * largest));
      assertThat(band.sigma()).isCloseTo(sigma, within(1e-14 * largest + 1e-12 * sigma));
      assertThat(band.lower()).isCloseTo(expected - 2.5 * sigma, within(1e-13 * largest));
      assertThat(band.upper()).isCloseTo(expected + 2.5 * sigma, within(1e-13 * largest));
    }
  }

  @Test
  void aValueIsHeldAgainstTheBandBeforeIt() {
    Band band = Band.of(Alpha.ofWindow(20), 3);
    for (int k = 0; k < 100; k++) {
      assertThat(band.add(k % 2)).as("value %d", k).isFalse();
    }
    double upper = band.upper();
    double lower = band.lower();
    Band other = Band.ofJson(band.toJson());

    assertThat(band.add(Math.nextUp(upper))).isTrue();
    assertThat(other.add(upper)).isFalse();
    assertThat(Band.ofJson(other.toJson()).add(lower)).isFalse();
    assertThat(other.add(lower - 1)).isTrue();
    assertThat(band.upper()).as("the value is part of the band now").isGreaterThan(upper);
  }

  @Test
  void nothingIsToldBeforeTheWindowHasPassed() {
    Band band = Band.of(Alpha.ofWindow(5), 3);
    double[] wild = {1, 1, 1, 1, 1e9};
    for (double x : wild) {
      assertThat(band.add(x)).isFalse();
    }
    assertThat(band.add(1e12)).isTrue();
  }

  @Test
  void ofNormalNoiseOneInThreeHundredOrSoIsOutside() {
    Random random = new Random(52);
    Band band = Band.of(Alpha.ofWindow(1_000), 3);
    int outside = 0;
    for (int k = 0; k < 100_000; k++) {
      outside += band.add(random.nextGaussian()) ? 1 : 0;
    }
    assertThat(100_000.0 / outside).isBetween(300.0, 400.0);
  }

  @Test
  void afterALastingChangeTheBandComesToRestThere() {
    Band band = Band.of(Alpha.ofWindow(20), 3);
    Random random = new Random(53);
    for (int k = 0; k < 100; k++) {
      band.add(random.nextGaussian());
    }
    int outside = 0;
    for (int k = 0; k < 200; k++) {
      outside += band.add(100 + random.nextGaussian()) ? 1 : 0;
    }
    assertThat(outside).isBetween(1, 5);
    assertThat(band.mean()).isCloseTo(100, within(1.5));
    assertThat(band.sigma()).isCloseTo(1, within(0.7));
  }

  @Test
  void anyChangeIsOutsideOfWhatNeverChanged() {
    Band band = Band.of(0.1, 3);
    for (int k = 0; k < 100; k++) {
      assertThat(band.add(0.1)).isFalse();
    }
    assertThat(band.sigma()).isZero();
    assertThat(band.add(Math.nextUp(0.1))).isTrue();
  }

  @Test
  void whatIsNotFiniteIsOutside() {
    Band skipping = Band.of(0.5, 3).onNonFinite(NonFinite.SKIP);
    assertThat(skipping.add(Double.NaN)).isTrue();
    assertThat(skipping.mean()).isNaN();
    skipping.add(4);
    assertThat(skipping.add(Double.POSITIVE_INFINITY)).isTrue();
    assertThat(skipping.mean()).isEqualTo(4);

    Band propagating = Band.of(0.5, 3).onNonFinite(NonFinite.PROPAGATE);
    propagating.add(4);
    assertThat(propagating.add(Double.NaN)).isTrue();
    assertThat(propagating.lower()).isNaN();
    for (int k = 0; k < 3; k++) { // the window
      assertThat(propagating.sigma()).isNaN();
      assertThat(propagating.add(4)).isFalse();
    }
    assertThat(propagating.sigma()).isZero();

    Band refusing = Band.of(0.5, 3);
    assertThatIllegalArgumentException().isThrownBy(() -> refusing.add(Double.NaN));
  }

  @Test
  void refusesWidthsOutOfRange() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Band.of(0.5, 0))
        .withMessage("k must be above 0 and finite, but was 0.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Band.of(0, 3))
        .withMessage("alpha must be in (0, 1], but was 0.0");
  }
}
