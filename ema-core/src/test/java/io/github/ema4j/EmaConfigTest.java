package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.base.Ascii;
import com.typesafe.config.ConfigFactory;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.schedule.InversePowerWarmup;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class EmaConfigTest {

  private static final EmaConfig DEFAULTS = EmaConfig.defaults();

  private static EmaConfig read(String average) {
    return EmaConfig.from(ConfigFactory.parseString("ema.average {\n" + average + "\n}"));
  }

  @Test
  void theDefaultsAreThoseOfTheDocumentation() {
    assertThat(DEFAULTS.strategy()).isEqualTo(EmaStrategy.nameMatched(0.9999));
    assertThat(DEFAULTS.rule()).isEqualTo(AveragingRule.LERP);
    assertThat(DEFAULTS.policy()).isEqualTo(EntryPolicy.defaults());
    assertThat(DEFAULTS.shadowType()).isEqualTo(ShadowType.AUTO);
    assertThat(DEFAULTS.device()).isEmpty();
  }

  @Test
  void silenceMeansTheDefaults() {
    assertThat(EmaConfig.from(ConfigFactory.empty())).isEqualTo(DEFAULTS);
    assertThat(read("")).isEqualTo(DEFAULTS);
    assertThat(EmaConfig.from(ConfigFactory.parseString("other.key = 1"))).isEqualTo(DEFAULTS);
  }

  @Test
  void nullsMeanTheDefaults() {
    assertThat(read("extends = null, rule = null, schedule.decay = null, device = null"))
        .isEqualTo(DEFAULTS);
  }

  static Stream<Arguments> presets() {
    EmaConfig own = DEFAULTS.withShadowType(ShadowType.MODEL);
    EmaConfig truncating =
        own.withRule(AveragingRule.WEIGHTED_SUM)
            .withPolicy(EntryPolicy.defaults().with(Role.COUNTER, Treatment.AVERAGE));
    EmaStrategy ordered = EmaStrategy.ordered(0.9999);
    return Stream.of(
        Arguments.of("timm-v1", truncating),
        Arguments.of("timm-v2", truncating.withStrategy(ordered)),
        Arguments.of("timm-v3", own.withStrategy(ordered)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("presets")
  void presetsAreWhatTimmDoes(String name, EmaConfig expected) {
    assertThat(EmaConfig.preset(name)).isEqualTo(expected);
    assertThat(read("extends = " + name)).isEqualTo(expected);
    assertThat(
            read("extends = " + name + ", schedule.decay = 0.5, rule = lerp, strategy = ordered"))
        .isEqualTo(expected.withRule(AveragingRule.LERP).withStrategy(EmaStrategy.ordered(0.5)));
  }

  @Test
  void anUnknownPresetIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.preset("timm-v4"))
        .withMessage(
            "there is no profile 'timm-v4'; profiles are timm-v1, timm-v2, timm-v3; did you mean"
                + " timm-v1?");
  }

  @ParameterizedTest
  @EnumSource(Pairing.class)
  void strategyIsThePairing(Pairing pairing) {
    String spelled = pairing == Pairing.ORDERED ? "ordered" : "name-matched";
    assertThat(read("strategy = " + spelled).strategy().pairing()).isEqualTo(pairing);
  }

  @Test
  void ruleIsTheArithmetic() {
    assertThat(read("rule = lerp").rule()).isEqualTo(AveragingRule.LERP);
    assertThat(read("rule = weighted-sum").rule()).isEqualTo(AveragingRule.WEIGHTED_SUM);
  }

  @ParameterizedTest
  @CsvSource({"auto, AUTO", "model, MODEL", "f64, F64", "f32, F32", "f16, F16", "bf16, BF16"})
  void shadowTypeIsTheTypeOfTheAverage(String spelled, ShadowType expected) {
    assertThat(read("shadowType = " + spelled).shadowType()).isEqualTo(expected);
  }

  @Test
  void deviceIsWhereTheAverageIsKept() {
    assertThat(read("device = cpu").device()).contains(Device.CPU);
    assertThat(read("device = \"cuda:1\"").device()).contains(new Device("cuda", 1));
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void policyIsWhatHappensToARole(Role role) {
    for (Treatment treatment : Treatment.values()) {
      String line =
          "policy.%s = %s"
              .formatted(Ascii.toLowerCase(role.name()), Ascii.toLowerCase(treatment.name()));
      assertThat(read(line).policy()).isEqualTo(EntryPolicy.defaults().with(role, treatment));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.5", "\"0.5\"", "5e-1"})
  void decayIsTheDecayOfOneStep(String decay) {
    assertThat(read("schedule.decay = " + decay).strategy())
        .isEqualTo(EmaStrategy.nameMatched(0.5));
    assertThat(read("schedule { type = constant, decay = " + decay + "}").strategy())
        .isEqualTo(EmaStrategy.nameMatched(0.5));
  }

  @Test
  void theWarmUpHasTheDefaultsOfItsFactory() {
    assertThat(read("schedule.type = inverse-power-warmup").strategy().schedule())
        .isEqualTo(DecaySchedule.inversePowerWarmup(0.9999));
  }

  @Test
  void theWarmUpHasAKeyForEachParameter() {
    assertThat(
            read("""
                    schedule {
                      type = inverse-power-warmup
                      decay = 0.99
                      gamma = 2
                      power = 0.75
                      minDecay = 0.1
                      updateAfter = 100
                    }""")
                .strategy()
                .schedule())
        .isEqualTo(new InversePowerWarmup(0.99, 2, 0.75, 0.1, 100));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "extends = timm-v9 | extends: there is no profile 'timm-v9'; profiles are timm-v1,"
            + " timm-v2, timm-v3; did you mean timm-v1?",
        "strategy = zip | strategy: must be one of name-matched, ordered, but was 'zip'",
        "rule = LERP | rule: must be one of lerp, weighted-sum, but was 'LERP'; did you mean lerp?",
        "shadowType = i8 | shadowType: must be one of auto, model, f64, f32, f16, bf16, but was 'i8'",
        "device = GPU | device: device must look like 'cpu' or 'cuda:0', but was 'GPU'",
        "policy.parameter = freeze | policy.parameter: must be one of average, copy, skip, but was"
            + " 'freeze'",
        "schedule.type = warmup | schedule.type: must be one of constant, inverse-power-warmup,"
            + " num-updates-warmup, exponential-ramp, momentum-annealing, linear, cosine, piecewise,"
            + " half-life, edm2-ramp, uniform-mean, power-function, but was 'warmup'",
        "schedule.decay = 1.5 | schedule.decay: the value must be in [0, 1], but was 1.5",
        "schedule.decay = -0.1 | schedule.decay: the value must be in [0, 1], but was -0.1",
        "schedule.decay = NaN | schedule.decay: the value must be in [0, 1], but was NaN",
        "schedule.decay = slow | schedule.decay: must be a number, but was 'slow'",
        "schedule {type = inverse-power-warmup, gamma = 0} | schedule.gamma: the value must be"
            + " above 0 and finite, but was 0.0",
        "schedule {type = inverse-power-warmup, power = x} | schedule.power: must be a number, but"
            + " was 'x'",
        "schedule {type = inverse-power-warmup, minDecay = 2} | schedule.minDecay: the value must be"
            + " in [0, 1], but was 2.0",
        "schedule {type = inverse-power-warmup, updateAfter = -1} | schedule.updateAfter: the value"
            + " must not be negative, but was -1",
        "schedule {type = inverse-power-warmup, updateAfter = 1.5} | schedule.updateAfter: must be a"
            + " whole number, but was '1.5'",
      })
  void aMalformedValueIsToldWithItsKey(String line, String problem) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(line))
        .withMessage("the configuration has problems:\n  String: 2: ema.average." + problem);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "shadowtype = f32 | shadowtype",
        "policy.weights = copy | policy.weights",
        "\"schedule.decay\" = 0.5 | \"schedule.decay\"",
        "nested { deep { typo = 1 } } | nested.deep.typo",
      })
  void anUnknownKeyIsToldWithTheKnownOnes(String line, String key) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(line))
        .withMessageStartingWith(
            "the configuration has problems:\n  String: 2: unknown key ema.average.%s; known are "
                + "canary, clock, device, every, extends, flushSubnormals, guard, microSteps, policy.counter, policy.frozen,"
                + " policy.parameter, policy.patterns, policy.statistic, rule, schedule.decay, schedule.delay, schedule.maximum, schedule.minimum, schedule.of,"
                + " schedule.scaling, schedule.type, schedule.zeroDebias, shadowType, strategy",
            key);
  }

  @ParameterizedTest
  @CsvSource({
    "shadow-type, shadowType",
    "polciy.counter, policy.counter",
    "policy.conter, policy.counter",
    "stratgy, strategy",
    "decay, schedule.decay",
    "schedule.dealy, schedule.delay",
    "\"schedule.decay\", schedule.decay",
    "schedule.strategy, strategy", // what is known of other sections too
  })
  void aSlipIsToldWithTheNearestKey(String slip, String key) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(slip + " = 1"))
        .withMessageEndingWith("; did you mean %s?", key);
  }

  @Test
  void nothingNearIsNoGuess() {
    for (String key : new String[] {"weights", "nested.deep.typo", "a".repeat(1_000_000)}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> read(key + " = 1"))
          .withMessageEndingWith("shadowType, strategy");
    }
  }

  @Test
  void parametersOfAWarmUpThatIsNotOnAreUnknown() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("schedule.gamma = 2"))
        .withMessageEndingWith(
            "unknown key ema.average.schedule.gamma; known with schedule.type = constant are"
                + " schedule.decay, schedule.delay, schedule.maximum, schedule.minimum, schedule.of,"
                + " schedule.scaling, schedule.type, schedule.zeroDebias; schedule.gamma is for inverse-power-warmup, momentum-annealing, power-function");
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "ema = 5",
        "ema.average = lerp",
        "ema.average.schedule = 0.9",
        "ema.average.policy = copy",
        "ema.average.rule { name = lerp }",
        "ema.average.rule = [lerp]",
      })
  void aValueOfAnotherKindIsRefusedWithItsPlace(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.from(ConfigFactory.parseString(text)))
        .withMessageMatching("(?s).*String: 1: .*ema.*");
  }

  @Test
  void anOpenSubstitutionIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("rule = ${nowhere}"))
        .withMessageContaining("${nowhere}");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.from(ConfigFactory.parseString("ema = ${nowhere}")))
        .withMessageContaining("Config#resolve()");
  }

  @Test
  void timingGuardAndSwitchesAreRead() {
    assertThat(read("clock = samples, every = 1000, microSteps = 4"))
        .isEqualTo(DEFAULTS.withTiming(new Timing(Clock.SAMPLES, 1000, 4)));
    assertThat(read("guard = skip")).isEqualTo(DEFAULTS.withGuard(NonFiniteGuard.SKIP));
    assertThat(read("canary = false")).isEqualTo(DEFAULTS.withCanary(false));
    assertThat(read("flushSubnormals = true")).isEqualTo(DEFAULTS.withFlushSubnormals(true));
  }

  @Test
  void patternsAreReadInTheirOrder() {
    String patterns =
        "policy.patterns = [{glob = \"*.weight_u\", treatment = copy},"
            + " {regex = \"head[.].*\", treatment = skip}]";
    assertThat(read(patterns).policy())
        .isEqualTo(
            EntryPolicy.defaults()
                .with(NamePattern.glob("*.weight_u"), Treatment.COPY)
                .with(NamePattern.regex("head[.].*"), Treatment.SKIP));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "every = 0 | every: the value must be at least 1, but was 0",
        "microSteps = 0 | microSteps: the value must be at least 1, but was 0",
        "microSteps = 3000000000 | microSteps: the value must be at most 2147483647, but was"
            + " 3000000000",
        "clock = epochs | clock: must be one of steps, samples, but was 'epochs'",
        "guard = warn | guard: must be one of fail-on-host, fail, skip, accept, but was 'warn'",
        "canary = loud | canary: must be true or false, but was 'loud'",
        "policy.patterns = [{glob = x}] | policy.patterns: each needs treatment and one of glob and"
            + " regex, but one has [glob]",
        "policy.patterns = [{regex = \"(\", treatment = copy}] | policy.patterns: '(' is no regular"
            + " expression: Unclosed group",
        "policy.patterns = [{glob = x, treatment = drop}] | policy.patterns: must be one of average,"
            + " copy, skip, but was 'drop'",
      })
  void aMistakeInTimingGuardOrPatternsIsToldWithItsKey(String line, String problem) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(line))
        .withMessage("the configuration has problems:\n  String: 2: ema.average." + problem);
  }

  @Test
  void aSlipInTheNameOfTheSectionIsToldToo() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.from(ConfigFactory.parseString("ema.averages.rule = lerp")))
        .withMessage(
            "the configuration has problems:\n  String: 1: unknown key ema.averages; averages are"
                + " configured under ema.average; did you mean average?");
  }

  @Test
  void whatIsReadFromPropertiesAloneIsNotOverlookedInAFile() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.from(ConfigFactory.parseString("ema.kernel = portable")))
        .withMessage(
            "the configuration has problems:\n  String: 1: ema.kernel: is the whole process's; set it"
                + " as a system property, -Dema.kernel");
  }
}
