package io.github.ema4j.schedule;

import static java.math.MathContext.DECIMAL128;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.DecaySchedule;
import java.math.BigDecimal;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ZeroDebiasTest {

  static Stream<DecaySchedule> schedules() {
    return Stream.of(
        DecaySchedule.constant(0),
        DecaySchedule.constant(0.5),
        DecaySchedule.constant(0.9999),
        DecaySchedule.constant(1 - 1e-12),
        DecaySchedule.inversePowerWarmup(0.9999),
        DecaySchedule.numUpdatesWarmup(0.9999),
        DecaySchedule.exponentialRamp(0.9999),
        DecaySchedule.linear(0.9, 0.99999, 5_000),
        DecaySchedule.cosine(0.999, 1, 5_000),
        DecaySchedule.edm2Ramp(2_000),
        DecaySchedule.uniformMean(),
        DecaySchedule.constant(0.999).delayedBy(100));
  }

  /** The reference starts at 0 and divides by 1 - product when it is read, with 34 digits. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("schedules")
  void theAverageIsThatOfAZeroStartDividedByItsWeight(DecaySchedule schedule) {
    Random random = new Random(5);
    BigDecimal zeroStart = BigDecimal.ZERO;
    BigDecimal product = BigDecimal.ONE;
    double average = 1e6; // what it starts from must not matter
    double logProduct = 0;
    for (long time = 1; time <= 10_000; time++) {
      double decay = schedule.decay(time, 1);
      double model = 0.5 + random.nextDouble();

      BigDecimal exact = new BigDecimal(decay);
      zeroStart =
          zeroStart
              .multiply(exact, DECIMAL128)
              .add(BigDecimal.ONE.subtract(exact).multiply(new BigDecimal(model)), DECIMAL128);
      product = product.multiply(exact, DECIMAL128).stripTrailingZeros();
      double expected =
          zeroStart.divide(BigDecimal.ONE.subtract(product, DECIMAL128), DECIMAL128).doubleValue();

      double debiased = ZeroDebias.debiasedDecay(decay, logProduct);
      logProduct += Math.log(decay);
      average = debiased * average + (1 - debiased) * model;

      assertThat(average).as("after %d", time).isCloseTo(expected, within(1e-12 * expected));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-300, 0.5, 0.9999, 1 - 1e-16, 1})
  void theFirstUpdateCopies(double decay) {
    assertThat(ZeroDebias.debiasedDecay(decay, 0)).isZero();
  }

  @Test
  void aDecayOfOneCopiesUntilAModelHasWeight() {
    double logProduct = Math.log(1.0) + Math.log(1.0);
    assertThat(ZeroDebias.debiasedDecay(0.9, logProduct)).isZero();
    logProduct += Math.log(0.9);
    assertThat(ZeroDebias.debiasedDecay(1, logProduct)).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.5, 0.9999, 1})
  void onceTheStartIsForgottenTheDecayIsTheSchedules(double decay) {
    assertThat(ZeroDebias.debiasedDecay(decay, Double.NEGATIVE_INFINITY)).isEqualTo(decay);
    assertThat(ZeroDebias.debiasedDecay(decay, -800)).isEqualTo(decay);
  }

  @ParameterizedTest(name = "decay {0}, update {1}")
  @CsvSource({"0.999999999999, 2", "0.999999999999, 1000", "0.5, 2", "1e-200, 2"})
  void aConstantDecayBeginsAsTheUniformMeanOfWhatItKeeps(double decay, int update) {
    double before = (update - 1) * Math.log(decay);
    double sum = 0;
    double kept = 0;
    for (int i = 0; i < update; i++) {
      sum += Math.pow(decay, i);
      kept += i == 0 ? 0 : Math.pow(decay, i);
    }
    assertThat(ZeroDebias.debiasedDecay(decay, before))
        .isCloseTo(kept / sum, within(1e-13 * kept / sum));
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {51, 52})
  void itIsNeverAboveTheScheduleNorBelowZero(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 10_000; i++) {
      double decay = 1 - Math.exp(-40 * random.nextDouble());
      double logProduct = -Math.exp(80 * random.nextDouble() - 40);
      assertThat(ZeroDebias.debiasedDecay(decay, logProduct))
          .as("seed %d: %s, %s", seed, decay, logProduct)
          .isBetween(0.0, decay);
    }
  }
}
