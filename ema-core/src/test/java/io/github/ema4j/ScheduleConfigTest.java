package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.typesafe.config.ConfigFactory;
import io.github.ema4j.schedule.Edm2Ramp;
import io.github.ema4j.schedule.ExponentialRamp;
import io.github.ema4j.schedule.HalfLife;
import io.github.ema4j.schedule.InversePowerWarmup;
import io.github.ema4j.schedule.MomentumAnnealing;
import io.github.ema4j.schedule.NumUpdatesWarmup;
import io.github.ema4j.schedule.PowerFunction;
import java.io.StringReader;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ScheduleConfigTest {

  private static DecaySchedule read(String schedule) {
    return EmaConfig.from(ConfigFactory.parseString("ema.average.schedule {\n" + schedule + "\n}"))
        .strategy()
        .schedule();
  }

  static Stream<Arguments> schedules() {
    DecaySchedule constant = DecaySchedule.constant(0.9999);
    return Stream.of(
        Arguments.of("type = constant", constant),
        Arguments.of(
            "type = inverse-power-warmup, gamma = 2, power = 1, minDecay = 0.1, updateAfter = 3",
            new InversePowerWarmup(0.9999, 2, 1, 0.1, 3)),
        Arguments.of("type = num-updates-warmup", DecaySchedule.numUpdatesWarmup(0.9999)),
        Arguments.of(
            "type = num-updates-warmup, decay = 0.9, warmupFactor = 100",
            new NumUpdatesWarmup(0.9, 100)),
        Arguments.of("type = exponential-ramp", DecaySchedule.exponentialRamp(0.9999)),
        Arguments.of(
            "type = exponential-ramp, decay = 0.9, tau = 50", new ExponentialRamp(0.9, 50)),
        Arguments.of("type = momentum-annealing", DecaySchedule.momentumAnnealing(2e-4)),
        Arguments.of(
            "type = momentum-annealing, momentum = 0.01, gamma = 7",
            new MomentumAnnealing(0.01, 7)),
        Arguments.of("type = linear, duration = 10", DecaySchedule.linear(0, 0.9999, 10)),
        Arguments.of(
            "type = linear, startDecay = 0.9, decay = 0.5, duration = 10",
            DecaySchedule.linear(0.9, 0.5, 10)),
        Arguments.of(
            "type = cosine, startDecay = 0.996, decay = 1, duration = 10",
            DecaySchedule.cosine(0.996, 1, 10)),
        Arguments.of(
            "type = piecewise, decayFromStep { 1 = 0.9, \"500\" = 0.99, 700 = null }",
            DecaySchedule.piecewise(Map.of(1L, 0.9, 500L, 0.99))),
        Arguments.of("type = half-life, halfLife = 12.5", DecaySchedule.halfLife(12.5)),
        Arguments.of(
            "type = half-life, halfLifeEpochs = 2, timePerEpoch = 45", HalfLife.ofEpochs(2, 45)),
        Arguments.of("type = edm2-ramp, halfLife = 500", DecaySchedule.edm2Ramp(500)),
        Arguments.of(
            "type = edm2-ramp, halfLifeEpochs = 2, timePerEpoch = 45, rampRatio = 0.05",
            new Edm2Ramp(90, 0.05)),
        Arguments.of("type = uniform-mean", DecaySchedule.uniformMean()),
        Arguments.of("type = power-function, gamma = 16.97", PowerFunction.ofGamma(16.97)),
        Arguments.of("type = power-function, sigmaRel = 0.1", PowerFunction.ofSigmaRel(0.1)),
        Arguments.of("scaling = 4", constant.scaledBy(4)),
        Arguments.of("minimum = 0.1", constant.clampedTo(0.1, 1)),
        Arguments.of("maximum = 0.9", constant.clampedTo(0, 0.9)),
        Arguments.of("delay = 100", constant.delayedBy(100)),
        Arguments.of("zeroDebias = true", constant.zeroDebiased()),
        Arguments.of("zeroDebias = false, delay = 0, scaling = 1, minimum = 0", constant),
        Arguments.of(
            "zeroDebias = true, delay = 9, scaling = 2, minimum = 0.1, maximum = 0.9",
            constant.scaledBy(2).clampedTo(0.1, 0.9).delayedBy(9).zeroDebiased()),
        Arguments.of(
            "of { type = half-life, halfLife = 3, delay = 9 }, scaling = 2, delay = 5",
            DecaySchedule.halfLife(3).delayedBy(9).scaledBy(2).delayedBy(5)),
        Arguments.of(
            "of.of { zeroDebias = true }, of.delay = 5, scaling = 2",
            constant.zeroDebiased().delayedBy(5).scaledBy(2)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("schedules")
  void everyTypeAndWrapperIsRead(String text, DecaySchedule expected) {
    assertThat(read(text)).isEqualTo(expected);
  }

  @Test
  void aTableFitsIntoProperties() throws Exception {
    Properties properties = new Properties();
    properties.load(
        new StringReader(
            """
            ema.average.schedule.type=piecewise
            ema.average.schedule.decayFromStep.1=0.9
            ema.average.schedule.decayFromStep.20=0.99
            """));
    assertThat(EmaConfig.from(ConfigFactory.parseProperties(properties)).strategy().schedule())
        .isEqualTo(DecaySchedule.piecewise(Map.of(1L, 0.9, 20L, 0.99)));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "type = linear | type: needs schedule.duration",
        "type = cosine, duration = null | type: needs schedule.duration",
        "type = cosine, duration = 0 | duration: the value must be at least 1, but was 0",
        "type = linear, duration = 9, startDecay = 2 | startDecay: the value must be in [0, 1], but"
            + " was 2.0",
        "type = piecewise | type: needs schedule.decayFromStep",
        "type = piecewise, decayFromStep { 5 = 0.9 } | decayFromStep: decayFromStep must begin at"
            + " step 1, but begins at 5",
        "type = piecewise, decayFromStep {} | decayFromStep: decayFromStep must have a decay from"
            + " step 1 on",
        "type = piecewise, decayFromStep { 1 = 0.9, two = 0.5 } | decayFromStep: steps must be whole"
            + " numbers, but one was 'two'",
        "type = piecewise, decayFromStep { 1 = 0.9, 2 = 5 } | decayFromStep.2: the value must be in"
            + " [0, 1], but was 5.0",
        "type = half-life | type: needs one of schedule.halfLife and schedule.halfLifeEpochs",
        "type = half-life, halfLife = 3, halfLifeEpochs = 2, timePerEpoch = 3 | type: needs one of"
            + " schedule.halfLife and schedule.halfLifeEpochs",
        "type = half-life, halfLifeEpochs = 3 | type: needs schedule.halfLifeEpochs and"
            + " schedule.timePerEpoch together",
        "type = half-life, halfLife = -3 | halfLife: the value must be above 0 and finite, but was"
            + " -3.0",
        "type = edm2-ramp, halfLife = 3, rampRatio = 0 | rampRatio: the value must be above 0 and"
            + " finite, but was 0.0",
        "type = num-updates-warmup, warmupFactor = 0.1 | warmupFactor: the value must be at least 1"
            + " and finite, but was 0.1",
        "type = exponential-ramp, tau = slow | tau: must be a number, but was 'slow'",
        "type = momentum-annealing, momentum = 2 | momentum: the value must be in [0, 1], but was"
            + " 2.0",
        "type = unknown-type, gamma = 3, unknown = 1 | type: must be one of constant, "
            + "inverse-power-warmup, num-updates-warmup, exponential-ramp, momentum-annealing,"
            + " linear, cosine, piecewise, half-life, edm2-ramp, uniform-mean, power-function, but was"
            + " 'unknown-type'",
        "scaling = 0 | scaling: the value must be above 0 and finite, but was 0.0",
        "delay = -1 | delay: the value must not be negative, but was -1",
        "zeroDebias = 1 | zeroDebias: must be true or false, but was '1'",
        "minimum = 0.9, maximum = 0.5 | minimum: must not be above schedule.maximum, 0.5, but was"
            + " 0.9",
        "type = power-function | type: needs one of schedule.gamma and schedule.sigmaRel",
        "type = power-function, gamma = 1, sigmaRel = 0.1 | type: needs one of schedule.gamma and"
            + " schedule.sigmaRel",
        "type = power-function, sigmaRel = 0.5 | sigmaRel: sigmaRel must be in"
            + " (0, 0.3002831060007776], as no power function is wider, but was 0.5",
        "type = power-function, gamma = x | gamma: must be a number, but was 'x'",
        "of { type = half-life } | of.type: needs one of schedule.of.halfLife and"
            + " schedule.of.halfLifeEpochs",
        "of { delay = 3 }, decay = 0.5 | decay; known with schedule.of are schedule.delay,"
            + " schedule.maximum, schedule.minimum, schedule.of, schedule.of.decay,"
            + " schedule.of.delay, schedule.of.maximum, schedule.of.minimum, schedule.of.of,"
            + " schedule.of.scaling, schedule.of.type, schedule.of.zeroDebias, schedule.scaling,"
            + " schedule.zeroDebias; schedule.decay is for constant, inverse-power-warmup, num-updates-warmup, exponential-ramp, linear, cosine",
        "of { type = uniform-mean, decay = 0.5 } | of.decay; known with schedule.of.type ="
            + " uniform-mean are schedule.of.delay, schedule.of.maximum, schedule.of.minimum,"
            + " schedule.of.of, schedule.of.scaling, schedule.of.type, schedule.of.zeroDebias; schedule.of.decay is for constant, inverse-power-warmup, num-updates-warmup, exponential-ramp, linear, cosine",
        "type = uniform-mean, decay = 0.9 | decay; known with schedule.type = uniform-mean are"
            + " schedule.delay, schedule.maximum, schedule.minimum, schedule.of, schedule.scaling,"
            + " schedule.type, schedule.zeroDebias; schedule.decay is for constant, inverse-power-warmup, num-updates-warmup, exponential-ramp, linear, cosine",
      })
  void aMistakeIsToldOnceWithItsKey(String text, String problem) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(text))
        .withMessageMatching(
            "the configuration has problems:\\n  String: 2: (unknown key )?\\Qema.average.schedule."
                + problem
                + "\\E");
  }

  @Test
  void aTableOfAnotherKindIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("type = piecewise, decayFromStep = 0.9"))
        .withMessageContaining("decayFromStep: must be a table, but was 0.9");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("of = 0.9"))
        .withMessageContaining("of: must be a table, but was 0.9");
  }
}
