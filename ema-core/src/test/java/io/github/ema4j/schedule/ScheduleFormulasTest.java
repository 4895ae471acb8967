package io.github.ema4j.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.DecaySchedule;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each schedule against numbers that are known from elsewhere or follow by hand. */
class ScheduleFormulasTest {

  @ParameterizedTest(name = "update {0}: {1}")
  @CsvSource({"1, .181818", "2, .25", "3, .307692", "4, .357143"})
  void numUpdatesStartsAsTensorFlows(long time, double decay) {
    assertThat(DecaySchedule.numUpdatesWarmup(0.9999).decay(time, 1))
        .isCloseTo(decay, within(5e-7));
  }

  @Test
  void numUpdatesReachesItsDecayWhenItIsSaidTo() {
    NumUpdatesWarmup warmup = DecaySchedule.numUpdatesWarmup(0.9999);
    assertThat(warmup.decay(89_989, 1)).isLessThan(0.9999);
    assertThat(warmup.decay(89_990, 1)).isCloseTo(0.9999, within(1e-15));
    assertThat(warmup.decay(Long.MAX_VALUE, 1)).isEqualTo(0.9999);
  }

  @Test
  void theWarmupFactorStretchesNumUpdates() {
    NumUpdatesWarmup warmup = DecaySchedule.numUpdatesWarmup(1).withWarmupFactor(100);
    assertThat(warmup.decay(1, 1)).isCloseTo(2.0 / 101, within(1e-16));
    assertThat(warmup.decay(99, 1)).isCloseTo(100.0 / 199, within(1e-16));
    assertThat(warmup.withWarmupFactor(1).decay(1, 1)).isEqualTo(1);
  }

  @ParameterizedTest(name = "update {0}: {1}")
  @CsvSource({"1, .000499825, 5e-10", "2000, .632057, 5e-7", "20000, .999855, 5e-7"})
  void theExponentialRampIsUltralytics(long time, double decay, double accuracy) {
    assertThat(DecaySchedule.exponentialRamp(0.9999).decay(time, 1))
        .isCloseTo(decay, within(accuracy));
  }

  @Test
  void tauStretchesTheExponentialRamp() {
    assertThat(DecaySchedule.exponentialRamp(0.5).withTau(7).decay(7, 1))
        .isCloseTo(0.5 * (1 - Math.exp(-1)), within(1e-16));
  }

  @ParameterizedTest(name = "update {0}: {1}")
  @CsvSource({"1, 0", "2, .00990099009900991", "101, .5", "499901, .9998", "900000, .9998"})
  void momentumIsAnnealedAsMmEngineDoes(long time, double decay) {
    assertThat(DecaySchedule.momentumAnnealing(2e-4).decay(time, 1))
        .isCloseTo(decay, within(1e-15));
  }

  @Test
  void gammaStretchesTheAnnealing() {
    assertThat(DecaySchedule.momentumAnnealing(0).withGamma(5).decay(6, 1)).isEqualTo(0.5);
  }

  @ParameterizedTest(name = "update {0}: {1}")
  @CsvSource({"1, .11", "25, .35", "50, .6", "99, 1.09", "100, 1.1", "1000, 1.1"})
  void linearIsAStraightLineUpAndDown(long time, double decay) {
    assertThat(DecaySchedule.linear(0, 1, 100).decay(time, 1) + 0.1)
        .isCloseTo(decay, within(1e-15));
    assertThat(1.1 - DecaySchedule.linear(1, 0, 100).decay(time, 1))
        .isCloseTo(decay, within(1e-15));
  }

  @ParameterizedTest(name = "update {0}: {1}")
  @CsvSource({
    "1, .9960000098695",
    "250, .996585786437627",
    "500, .998",
    "750, .999414213562373",
    "1000, 1",
    "2000, 1"
  })
  void cosineRisesAsByols(long time, double decay) {
    assertThat(DecaySchedule.cosine(0.996, 1, 1000).decay(time, 1)).isCloseTo(decay, within(1e-13));
    assertThat(DecaySchedule.cosine(1, 0.996, 1000).decay(time, 1))
        .isCloseTo(1.996 - decay, within(1e-13));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 7, 1_000_000})
  void rampsEndExactlyAtTheirDecay(long duration) {
    assertThat(DecaySchedule.linear(0.1, 0.7, duration).decay(duration, 1)).isEqualTo(0.7);
    assertThat(DecaySchedule.cosine(0.1, 0.7, duration).decay(duration, 1)).isEqualTo(0.7);
  }

  @ParameterizedTest(name = "update {0}: {1}")
  @CsvSource({"1, .9", "9, .9", "10, .999", "99, .999", "100, .5", "9223372036854775807, .5"})
  void piecewiseReadsTheTable(long time, double decay) {
    assertThat(DecaySchedule.piecewise(Map.of(1L, 0.9, 10L, 0.999, 100L, 0.5)).decay(time, 1))
        .isEqualTo(decay);
  }

  @Test
  void theTableIsCopiedInTheOrderOfItsSteps() {
    TreeMap<Long, Double> table = new TreeMap<>((a, b) -> Long.compare(b, a));
    table.putAll(Map.of(1L, 0.5, 5L, 0.9));
    PiecewiseDecay schedule = new PiecewiseDecay(table);
    table.put(1L, 0.1);
    assertThat(schedule.decay(1, 1)).isEqualTo(0.5);
    assertThat(schedule.decay(7, 1)).isEqualTo(0.9);
    assertThat(schedule.decayFromStep()).isUnmodifiable();
    assertThat(schedule).isEqualTo(DecaySchedule.piecewise(Map.of(5L, 0.9, 1L, 0.5)));
  }

  @ParameterizedTest(name = "half-life {0}: {1}")
  @CsvSource({"69.0, .99", "692.8, .999", "3465.4, .9998", "6931.1, .9999"})
  void aHalfLifeIsTheDecayThatHalvesInIt(double halfLife, double decay) {
    HalfLife schedule = DecaySchedule.halfLife(halfLife);
    assertThat(schedule.decay(1, 1)).isCloseTo(decay, within(1e-5));
    assertThat(DecaySchedule.halfLife(32).decay(100, 32)).isEqualTo(0.5);
    assertThat(DecaySchedule.halfLife(32).decay(100, 64)).isEqualTo(0.25);
  }

  @Test
  void aHalfLifeInEpochsIsOneInStepsOrSamples() {
    assertThat(HalfLife.ofEpochs(2.5, 400)).isEqualTo(DecaySchedule.halfLife(1000));
  }

  @Test
  void edm2sHalfLifeIsAPartOfTheTimeUpToItsEnd() {
    Edm2Ramp ramp = DecaySchedule.edm2Ramp(9_000);
    assertThat(ramp.decay(1_000, 90)).isCloseTo(0.5, within(1e-15));
    assertThat(ramp.decay(50_000, 9_000)).isCloseTo(0.25, within(1e-15));
    assertThat(ramp.decay(100_000, 9_000)).isEqualTo(0.5);
    assertThat(ramp.decay(1_000_000, 9_000)).isEqualTo(0.5);
    assertThat(ramp.decay(32, 32)).isCloseTo(Math.pow(0.5, 1 / 0.09), within(1e-15));
    assertThat(ramp.withRampRatio(0.05).decay(1_000, 50)).isCloseTo(0.5, within(1e-15));
  }

  @Test
  void edm2sHalfLifeHasAFloor() {
    Edm2Ramp ramp = DecaySchedule.edm2Ramp(1).withRampRatio(1e-300);
    assertThat(ramp.decay(1, 1)).isZero();
    assertThat(ramp.decay(0, 0)).isEqualTo(1); // without the floor: 0 / 0
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 10, 1_000_000})
  void theUniformMeanWeighsAllAlike(long update) {
    double before = update - 1;
    assertThat(DecaySchedule.uniformMean().decay(update, 1)).isEqualTo(before / update);
    assertThat(DecaySchedule.uniformMean().decay(update * 5, 5)).isEqualTo(before / update);
  }
}
