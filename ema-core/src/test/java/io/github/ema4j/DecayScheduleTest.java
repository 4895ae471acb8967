package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.schedule.InversePowerWarmup;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DecayScheduleTest {

  private final InversePowerWarmup warmup = DecaySchedule.inversePowerWarmup(0.9999);

  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-9, 0.5, 0.9999, 1})
  void aConstantIsTheSameAtAnyTime(double decay) {
    DecaySchedule constant = DecaySchedule.constant(decay);
    for (long time : new long[] {1, 2, 1_000_000, Long.MAX_VALUE}) {
      assertThat(constant.decay(time, 1)).isEqualTo(decay);
    }
  }

  @ParameterizedTest(name = "elapsed {0}")
  @ValueSource(longs = {1, 2, 10, 1_000})
  void severalStepsAreThePowerOfOne(long elapsed) {
    double product = 1;
    for (long i = 0; i < elapsed; i++) {
      product *= 0.9999;
    }
    assertThat(DecaySchedule.constant(0.9999).decay(5_000, elapsed))
        .isCloseTo(product, within(1e-12));
    assertThat(warmup.decay(5_000, elapsed))
        .isCloseTo(Math.exp(elapsed * Math.log(warmup.decay(5_000, 1))), within(1e-12));
  }

  @ParameterizedTest(name = "update {0}: {1}")
  @CsvSource({
    "1, 0",
    "2, .370039475",
    "3, .519250143",
    "4, .603149737",
    "5, .658004811",
    "6, .697146568",
  })
  void theWarmUpStartsAsTimms(long time, double decay) {
    assertThat(warmup.decay(time, 1)).isCloseTo(decay, within(5e-10));
  }

  @ParameterizedTest(name = "power {0} passes {1} at {2}")
  @CsvSource({
    "0.6666666666666666, 0.999, 31622",
    "0.6666666666666666, 0.9999, 999999",
    "0.75, 0.999, 9999",
    "0.75, 0.9999, 215442",
  })
  void theWarmUpReachesItsGoalsWhenItIsSaidTo(double power, double decay, long steps) {
    InversePowerWarmup unbounded = DecaySchedule.inversePowerWarmup(1).withPower(power);
    assertThat(unbounded.decay(steps - steps / 1_000, 1)).isLessThan(decay);
    assertThat(unbounded.decay(steps + steps / 1_000, 1)).isGreaterThan(decay);
  }

  @Test
  void theWarmUpStopsAtItsDecay() {
    InversePowerWarmup schedule = DecaySchedule.inversePowerWarmup(0.9);
    assertThat(schedule.decay(1_000, 1)).isEqualTo(0.9);
    assertThat(schedule.decay(Long.MAX_VALUE, 1)).isEqualTo(0.9);
  }

  @Test
  void theWarmUpCopiesUntilItBeginsAndThenKeepsItsLeastDecay() {
    InversePowerWarmup schedule = warmup.withUpdateAfter(100).withMinDecay(0.5);
    assertThat(schedule.decay(1, 1)).isZero();
    assertThat(schedule.decay(101, 7)).isZero();
    assertThat(schedule.decay(102, 1)).isEqualTo(0.5);
    assertThat(schedule.decay(106, 1)).isEqualTo(warmup.decay(6, 1)).isGreaterThan(0.5);
  }

  @Test
  void gammaStretchesTheWarmUp() {
    assertThat(warmup.withGamma(10).decay(51, 1)).isEqualTo(warmup.decay(6, 1));
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {89, 90, 91})
  void theWarmUpRisesAndStaysWithinItsBounds(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 200; i++) {
      double least = random.nextDouble() / 2;
      InversePowerWarmup schedule =
          new InversePowerWarmup(
              0.5 + random.nextDouble() / 2,
              1e-3 + 100 * random.nextDouble(),
              1e-3 + 3 * random.nextDouble(),
              least,
              random.nextInt(50));
      double before = 0;
      for (long time = 1; time < 300; time++) {
        double decay = schedule.decay(time, 1);
        assertThat(decay).as("seed %d: %s", seed, schedule).isBetween(before, schedule.decay());
        if (time > schedule.updateAfter() + 1) {
          assertThat(decay).isGreaterThanOrEqualTo(least);
        }
        before = decay;
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 1.5, -0.1})
  void decaysAreFromZeroToOne(double decay) {
    String message = "decay must be in [0, 1], but was " + decay;
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DecaySchedule.constant(decay))
        .withMessage(message);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DecaySchedule.inversePowerWarmup(decay))
        .withMessage(message);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaStrategy.nameMatched(decay))
        .withMessage(message);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaStrategy.ordered(decay))
        .withMessage(message);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> warmup.withMinDecay(decay))
        .withMessage("minDecay must be in [0, 1], but was " + decay);
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY})
  void gammaAndPowerArePositive(double value) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> warmup.withGamma(value))
        .withMessage("gamma must be above 0 and finite, but was " + value);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> warmup.withPower(value))
        .withMessage("power must be above 0 and finite, but was " + value);
  }

  @Test
  void updateAfterIsNotNegative() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> warmup.withUpdateAfter(-1))
        .withMessage("updateAfter must not be negative, but was -1");
  }

  @Test
  void aStrategyKeepsItsPairingWhenItsScheduleChanges() {
    EmaStrategy scheduled = EmaStrategy.ordered(0.9).scheduled(warmup);
    assertThat(scheduled.pairing()).isEqualTo(EmaStrategy.Pairing.ORDERED);
    assertThat(scheduled.schedule()).isEqualTo(warmup);
    assertThat(EmaStrategy.nameMatched(0.9).pairing()).isEqualTo(EmaStrategy.Pairing.NAME_MATCHED);
    assertThat(EmaStrategy.nameMatched(0.9).schedule()).isEqualTo(DecaySchedule.constant(0.9));
  }
}
