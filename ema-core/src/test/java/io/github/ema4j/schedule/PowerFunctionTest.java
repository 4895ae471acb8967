package io.github.ema4j.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PowerFunctionTest {

  @ParameterizedTest(name = "sigmaRel {0}")
  @ValueSource(strings = {"0.05", "0.10", "0.25"})
  void decaysAreThoseOfThePapersOwnCode(String sigmaRel) {
    Config golden =
        ConfigFactory.parseResources(PowerFunctionTest.class, "schedules.json").resolve();
    List<Long> times = golden.getLongList("t");
    List<Double> decays =
        golden
            .getConfig("decay")
            .getDoubleList("\"edm2 power-function sigma_rel=" + sigmaRel + ", t_delta=1\"");
    PowerFunction schedule = PowerFunction.ofSigmaRel(Double.parseDouble(sigmaRel));

    assertThat(decays).hasSameSizeAs(times);
    for (int i = 0; i < decays.size(); i++) {
      assertThat(schedule.decay(times.get(i), 1))
          .as("time %d", times.get(i))
          .isCloseTo(decays.get(i), within(1e-12 * decays.get(i)));
    }
  }

  @Test
  void gammasAreThoseOfThePapersOwnCode() {
    Config golden =
        ConfigFactory.parseResources(
            PowerFunctionTest.class, "/io/github/ema4j/posthoc/posthoc.json");
    List<Double> widths = golden.getDoubleList("sigma_rel");
    List<Double> gammas = golden.getDoubleList("gamma");

    assertThat(widths).hasSize(8);
    for (int i = 0; i < widths.size(); i++) {
      assertThat(PowerFunction.ofSigmaRel(widths.get(i)).gamma())
          .isCloseTo(gammas.get(i), within(1e-10 * gammas.get(i)));
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3})
  void widthAndExponentConvertIntoOneAnother(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 1_000; i++) {
      double sigmaRel = 0.3 * Math.pow(10, -12 * random.nextDouble());
      assertThat(PowerFunction.ofSigmaRel(sigmaRel).sigmaRel())
          .isCloseTo(sigmaRel, within(1e-15 * sigmaRel));
      double gamma = -0.3 + Math.pow(10, -3 + 12 * random.nextDouble());
      PowerFunction schedule = PowerFunction.ofGamma(gamma);
      assertThat(PowerFunction.ofSigmaRel(schedule.sigmaRel()).gamma())
          .isCloseTo(gamma, within(1e-13 * Math.max(1, gamma)));
    }
  }

  @ParameterizedTest(name = "sigmaRel {0}")
  @ValueSource(doubles = {0.3, 0.28, 0.1, 1e-3, 1e-6})
  void theExponentIsARootOfTheCubicAndTheLargest(double sigmaRel) {
    double g = PowerFunction.ofSigmaRel(sigmaRel).gamma();
    double k = 1 / (sigmaRel * sigmaRel);
    double[] terms = {g * g * g, 7 * g * g, (16 - k) * g, 12 - k};
    double magnitude = 0;
    double value = 0;
    for (double term : terms) {
      value += term;
      magnitude += Math.abs(term);
    }

    // The terms are rounded to 2^-53, g is as far from the root as its own rounding.
    assertThat(value).isCloseTo(0, within(1e-15 * magnitude * 4));
    // Divided by (x - g) the cubic leaves x^2 + p x + q: its roots are below g.
    double p = 7 + g;
    double q = 16 - k + p * g;
    double discriminant = p * p - 4 * q;
    assertThat(discriminant < 0 || (-p + Math.sqrt(discriminant)) / 2 <= g).isTrue();
  }

  @Test
  void theWidestProfileIsTheEndOfTheRange() {
    PowerFunction widest = PowerFunction.ofSigmaRel(PowerFunction.MAX_SIGMA_REL);

    assertThat(PowerFunction.MIN_GAMMA).isCloseTo((Math.sqrt(5) - 3) / 2, within(1e-16));
    assertThat(new PowerFunction(PowerFunction.MIN_GAMMA).sigmaRel())
        .isCloseTo(PowerFunction.MAX_SIGMA_REL, within(1e-16));
    // The curve is flat there: half of the digits of gamma are in those of the width.
    assertThat(widest.gamma()).isCloseTo(PowerFunction.MIN_GAMMA, within(1e-7));
    assertThat(PowerFunction.ofGamma(PowerFunction.MIN_GAMMA + 0.01).sigmaRel())
        .isLessThan(PowerFunction.MAX_SIGMA_REL);
    assertThat(PowerFunction.ofSigmaRel(Double.MIN_VALUE).gamma()).isGreaterThan(1e307);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, 0.300283107, 1, Double.NaN, Double.POSITIVE_INFINITY})
  void widthsThatNoPowerFunctionHasAreRefused(double sigmaRel) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PowerFunction.ofSigmaRel(sigmaRel))
        .withMessage(
            "sigmaRel must be in (0, 0.3002831060007776], as no power function is wider, but was "
                + sigmaRel);
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.382, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void exponentsBelowTheWidestAreRefused(double gamma) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PowerFunction.ofGamma(gamma))
        .withMessage(
            "gamma must be finite and at least -0.38196601125010515, that of the widest power"
                + " function, but was "
                + gamma);
  }

  @Test
  void anExponentOfZeroIsTheMeanOfAllModels() {
    for (long time = 1; time < 100; time++) {
      assertThat(PowerFunction.ofGamma(0).decay(time, 1)).isCloseTo(1 - 1.0 / time, within(1e-15));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 7, 1_000_000})
  void theUpdateThatCoversAllTimeCopies(long time) {
    assertThat(PowerFunction.ofGamma(3).decay(time, time)).isZero();
    assertThat(PowerFunction.ofGamma(3).decay(time, time + 1)).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {2, 10, 999})
  void oneUpdateOfSeveralStepsDecaysAsTheStepsDo(long elapsed) {
    PowerFunction schedule = PowerFunction.ofSigmaRel(0.1);
    double product = 1;
    for (long time = 1_001; time <= 1_000 + elapsed; time++) {
      product *= schedule.decay(time, 1);
    }

    assertThat(schedule.decay(1_000 + elapsed, elapsed))
        .isCloseTo(product, withinPercentage(1e-10));
  }
}
