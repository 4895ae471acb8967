package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.typesafe.config.ConfigFactory;
import io.github.ema4j.schedule.ExponentialRamp;
import io.github.ema4j.schedule.HalfLife;
import io.github.ema4j.schedule.InversePowerWarmup;
import io.github.ema4j.schedule.PowerFunction;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ConfigProfilesTest {
  private static final String THREE =
      """
      ema.profiles {
        base { strategy = ordered, rule = weighted-sum, guard = skip, schedule.decay = 0.9 }
        middle { extends = base, rule = lerp, schedule.delay = 5 }
        top { extends = middle, guard = accept }
      }
      """;

  private static EmaConfig read(String text) {
    return EmaConfig.from(ConfigFactory.parseString(text));
  }

  private static EmaConfig profile(String text, String name) {
    return EmaConfig.from(ConfigFactory.parseString(text), name);
  }

  @Test
  void aProfileInheritsFromItsParents() {
    EmaConfig top =
        EmaConfig.defaults()
            .withStrategy(
                EmaStrategy.ordered(0).scheduled(DecaySchedule.constant(0.9).delayedBy(5)))
            .withGuard(NonFiniteGuard.ACCEPT);

    assertThat(profile(THREE, "top")).isEqualTo(top);
    assertThat(profile(THREE, "middle")).isEqualTo(top.withGuard(NonFiniteGuard.SKIP));
  }

  @Test
  void theSectionsOwnKeysStandAboveTheProfiles() {
    assertThat(read(THREE + "ema.average { extends = top, schedule.decay = 0.5 }"))
        .isEqualTo(
            profile(THREE, "top")
                .withStrategy(
                    EmaStrategy.ordered(0).scheduled(DecaySchedule.constant(0.5).delayedBy(5))));
    assertThat(read(THREE)).isEqualTo(EmaConfig.defaults());
  }

  @Test
  void aProfileThatAProgramAsksForIsTheProfileAlone() {
    assertThat(profile(THREE + "ema.average { extends = base, canary = false }", "top"))
        .isEqualTo(profile(THREE, "top"));
  }

  @Test
  void nullTakesAKeyBackToItsDefault() {
    assertThat(read(THREE + "ema.average { extends = base, guard = null, schedule.decay = null }"))
        .isEqualTo(
            EmaConfig.defaults()
                .withStrategy(EmaStrategy.ordered(0.9999))
                .withRule(AveragingRule.WEIGHTED_SUM));
  }

  static Stream<Arguments> schedules() {
    return Stream.of(
        Arguments.of(
            "type = exponential-ramp, tau = 7, decay = 0.9, delay = 3",
            "type = half-life, halfLife = 5",
            new HalfLife(5).delayedBy(3)),
        Arguments.of(
            "decay = 0.9", "type = exponential-ramp, tau = 7", new ExponentialRamp(0.9, 7)),
        Arguments.of(
            "type = exponential-ramp, tau = 7, decay = 0.9",
            "type = exponential-ramp, decay = 0.5",
            new ExponentialRamp(0.5, 7)),
        Arguments.of( // another gamma altogether
            "type = power-function, gamma = 17",
            "type = inverse-power-warmup",
            DecaySchedule.inversePowerWarmup(0.9999)),
        Arguments.of(
            "type = inverse-power-warmup, gamma = 17",
            "gamma = 3",
            new InversePowerWarmup(0.9999, 3, 2.0 / 3, 0, 0)),
        Arguments.of(
            "type = half-life, halfLife = 5",
            "halfLifeEpochs = 2, timePerEpoch = 45",
            HalfLife.ofEpochs(2, 45)),
        Arguments.of(
            "type = half-life, halfLifeEpochs = 2, timePerEpoch = 45",
            "halfLife = 5",
            new HalfLife(5)),
        Arguments.of(
            "type = power-function, gamma = 17", "sigmaRel = 0.1", PowerFunction.ofSigmaRel(0.1)),
        Arguments.of(
            "type = power-function, sigmaRel = 0.1", "gamma = 17", PowerFunction.ofGamma(17)),
        Arguments.of(
            "type = half-life, halfLife = 5",
            "of { type = uniform-mean, delay = 3 }, scaling = 2",
            DecaySchedule.uniformMean().delayedBy(3).scaledBy(2)),
        Arguments.of(
            "of { type = uniform-mean, delay = 3 }, scaling = 2",
            "type = half-life, halfLife = 5",
            new HalfLife(5).scaledBy(2)));
  }

  @ParameterizedTest(name = "{0} under {1}")
  @MethodSource("schedules")
  void aScheduleInheritsWhatItUnderstandsAlike(
      String inherited, String own, DecaySchedule expected) {
    String text =
        "ema.profiles.p.schedule { %s }, ema.average { extends = p, schedule { %s } }"
            .formatted(inherited, own);

    assertThat(read(text).strategy().schedule()).isEqualTo(expected);
  }

  @Test
  void whatWrapsAScheduleIsInheritedByOneOfAnotherType() {
    String wrappers = "minimum = 0.5, maximum = 0.8, delay = 3, scaling = 2, zeroDebias = true";

    assertThat(
            read(
                "ema.profiles.p.schedule { decay = 0.9, "
                    + wrappers
                    + " }, ema.average { extends = p, schedule { type = half-life, halfLife = 5 } }"))
        .isEqualTo(
            read("ema.average.schedule { type = half-life, halfLife = 5, " + wrappers + " }"));
  }

  @Test
  void aProfileThatIsNullIsNone() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> profile("ema.profiles.x = null", "x"))
        .withMessage("there is no profile 'x'; profiles are timm-v1, timm-v2, timm-v3");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "ema.average.extends = tpo | ema.average.extends: there is no profile 'tpo'; profiles are"
            + " base, middle, timm-v1, timm-v2, timm-v3, top; did you mean top?",
        "ema.profiles.x.extends = nowhere | ema.profiles.x.extends: there is no profile 'nowhere';"
            + " profiles are base, middle, timm-v1, timm-v2, timm-v3, top, x",
        "ema.profiles.x.extends = x | ema.profiles.x.extends: profiles must not extend each other in"
            + " a circle, but ema.profiles.x → ema.profiles.x does",
        "ema.profiles.timm-v1.rule = lerp | ema.profiles.timm-v1: is built in; take another name,"
            + " and extend it",
        "ema.profiles.x = 3 | ema.profiles.x: must be a table, but was 3",
        "ema.profiles.top.shedule.decay = 0.5 | unknown key ema.profiles.top.shedule.decay; known"
            + " are canary, clock, device, every, extends, flushSubnormals, guard, microSteps, policy.counter,"
            + " policy.frozen, policy.parameter, policy.patterns, policy.statistic, rule,"
            + " schedule.decay, schedule.delay, schedule.maximum, schedule.minimum, schedule.of,"
            + " schedule.scaling, schedule.type, schedule.zeroDebias, shadowType, strategy; did you"
            + " mean schedule.decay?",
        "ema.profiles.base.rule = larp | ema.profiles.base.rule: must be one of lerp, weighted-sum,"
            + " but was 'larp'; did you mean lerp?",
      })
  void aMistakeIsToldOnceWithItsPlace(String line, String problem) {
    String inherited = "ema.average { extends = top, every = 2 }\n";

    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(THREE + inherited + line))
        .withMessage("the configuration has problems:\n  String: 7: " + problem);
  }

  @Test
  void aCircleIsToldByItsMembers() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                read(
                    """
                    ema.average.extends = a
                    ema.profiles.a.extends = b
                    ema.profiles.b.extends = a
                    """))
        .withMessageContaining(
            "String: 3: ema.profiles.b.extends: profiles must not extend each other in a circle, but"
                + " ema.profiles.a → ema.profiles.b → ema.profiles.a does")
        .withMessageNotContaining("ema.average"); // which leads into the circle from outside
  }

  @Test
  void aProfileThatIsNotThereIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> profile(THREE, "bottom"))
        .withMessage(
            "there is no profile 'bottom'; profiles are base, middle, timm-v1, timm-v2, timm-v3,"
                + " top");
  }

  @Test
  void aNameMayHaveADot() {
    assertThat(profile("ema.profiles.\"v1.5\".canary = false", "v1.5").canary()).isFalse();
    assertThat(read("ema.profiles.\"v1.5\".canary = false, ema.average.extends = v1.5").canary())
        .isFalse();
  }

  @Test
  void problemsOfAllFilesAreToldWithTheirFiles(@TempDir Path directory) throws IOException {
    Files.writeString(
        directory.resolve("shared.conf"),
        """
        ema.profiles.shared {
          polciy.counter = skip
          schedule { type = linaer }
        }
        """);
    Path main =
        Files.writeString(
            directory.resolve("main.conf"),
            """
            include "shared.conf"
            ema.average { extends = shared, decay = 0.5 }
            """);
    System.setProperty("ema.average.guard", "skipp");
    try {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> EmaConfig.load(main))
          .satisfies(
              refused ->
                  assertThat(refused.getMessage().lines().map(String::strip))
                      .hasSize(5)
                      .anyMatch(
                          line ->
                              line.contains(
                                      "shared.conf: 2: unknown key ema.profiles.shared.polciy")
                                  && line.endsWith("did you mean policy.counter?"))
                      .anyMatch(
                          line ->
                              line.contains("shared.conf: 3: ema.profiles.shared.schedule.type: mu")
                                  && line.endsWith("but was 'linaer'; did you mean linear?"))
                      .anyMatch(
                          line ->
                              line.contains("main.conf: 2: unknown key ema.average.decay")
                                  && line.endsWith("did you mean schedule.decay?"))
                      .contains(
                          "system properties: ema.average.guard: must be one of fail-on-host, fail, skip, accept,"
                              + " but was 'skipp'; did you mean skip?"));
    } finally {
      System.clearProperty("ema.average.guard");
      ConfigFactory.invalidateCaches();
    }
  }

  @Test
  void profilesAreLoadedFromFiles(@TempDir Path directory) throws IOException {
    Path file = Files.writeString(directory.resolve("ema.conf"), THREE);

    assertThat(EmaConfig.load(file, "top")).isEqualTo(profile(THREE, "top"));
    assertThat(EmaConfig.load("timm-v3")).isEqualTo(EmaConfig.preset("timm-v3"));
  }
}
