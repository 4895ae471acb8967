package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.schedule.PerStepSchedule;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EmaConfigTextTest {

  private record Cubic(double decay) implements PerStepSchedule {
    @Override
    public double decayOfStep(long time) {
      return decay;
    }
  }

  private static final class Own implements DecaySchedule {
    @Override
    public double decay(long time, long elapsed) {
      return 0;
    }
  }

  private static EmaConfig with(DecaySchedule schedule) {
    return EmaConfig.defaults().withStrategy(EmaStrategy.ordered(0).scheduled(schedule));
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {31, 32, 33})
  void anyConfigurationIsReadBackFromItsText(long seed) {
    RandomConfigs random = new RandomConfigs(seed);
    for (int i = 0; i < 200; i++) {
      EmaConfig config = random.config();
      String text = config.toString();
      EmaConfig read = EmaConfig.parse(text);
      assertThat(read).as("seed %d, %d: %s", seed, i, text).isEqualTo(config);
      assertThat(read.toString()).isEqualTo(text).doesNotContain("\n");
    }
  }

  @Test
  void theTextHasEveryKeyThatHasAValue() {
    assertThat(EmaConfig.defaults())
        .hasToString(
            "ema.average { strategy = name-matched, rule = lerp, shadowType = auto, policy {"
                + " parameter = average, frozen = average, statistic = average, counter = copy },"
                + " clock = steps, every = 1, microSteps = 1, guard = fail-on-host, canary = true, flushSubnormals = false, schedule {"
                + " type = constant, decay = 0.9999 } }");
  }

  @Test
  void wrappersInTheConfiguredOrderNeedNoNesting() {
    DecaySchedule schedule =
        DecaySchedule.halfLife(2000).scaledBy(2).clampedTo(0.1, 0.9).delayedBy(5).zeroDebiased();

    assertThat(with(schedule).toString())
        .endsWith(
            "schedule { type = half-life, halfLife = 2000, zeroDebias = true, delay = 5,"
                + " minimum = 0.1, maximum = 0.9, scaling = 2 } }");
  }

  @Test
  void wrappersInAnotherOrderAreNested() {
    DecaySchedule schedule =
        DecaySchedule.constant(0.5).zeroDebiased().delayedBy(5).scaledBy(2).scaledBy(3);

    assertThat(with(schedule).toString())
        .endsWith(
            "schedule { of { of { of { type = constant, decay = 0.5, zeroDebias = true }, delay = 5"
                + " }, scaling = 2 }, scaling = 3 } }");
  }

  @Test
  void aRandomNumberIsReadBackFromTheShortestText() {
    Random random = new Random(34);
    for (int i = 0; i < 5_000; i++) {
      double number = Double.longBitsToDouble(random.nextLong());
      if (Double.isFinite(number)) {
        String text = Hocon.shortest(number);
        assertThat(Double.parseDouble(text)).as("seed 34, %d: %s", i, text).isEqualTo(number);
        assertThat(digits(text))
            .as("seed 34, %d: %s", i, text)
            .isLessThanOrEqualTo(digits(Double.toString(number)));
      }
    }
  }

  private static int digits(String number) {
    return new BigDecimal(number).stripTrailingZeros().precision();
  }

  @ParameterizedTest
  @CsvSource({
    "0.9999, 0.9999",
    "1, 1",
    "2000, 2000",
    "-0.0, -0.0",
    "5.6843418860808015E-14, 5.684341886080802E-14",
    "1e23, 1E+23",
    "4.9e-324, 5E-324",
  })
  void numbersHaveOneTextOnEveryJdk(double number, String text) {
    assertThat(Hocon.shortest(number)).isEqualTo(text);
  }

  @Test
  void aScheduleThatIsCodeIsRefusedByItsName() {
    assertRefused(new Cubic(0.5), "EmaConfigTextTest$Cubic Cubic[decay=0.5],");
    assertRefused(new Own().delayedBy(4), "EmaConfigTextTest$Own,");
    assertRefused(new Own().zeroDebiased().zeroDebiased(), "EmaConfigTextTest$Own,");
    assertRefused((time, elapsed) -> 0.5, "EmaConfigTextTest$$Lambda,");
  }

  private static void assertRefused(DecaySchedule schedule, String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.parse(with(schedule).toString()))
        .withMessageStartingWith("the configuration has problems:\n  String: 1: ema.average.sched")
        .withMessageContaining("code: the schedule is a program's own, io.github.ema4j." + name)
        .withMessageEndingWith(", which no text can make; give it to EmaConfig.withStrategy")
        .satisfies(refused -> assertThat(refused.getMessage().lines()).hasSize(2));
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"%s\"", "file(\"%s\")", "url(\"file:%s\")", "classpath(\"%s\")"})
  void aTextCannotIncludeFiles(String form, @TempDir Path directory) throws IOException {
    Path file = Files.writeString(directory.resolve("other.conf"), "ema.average.rule = lerp");

    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.parse("include " + form.formatted(file)))
        .withMessageStartingWith("cannot read the configuration: this text must include nothing")
        .withMessageContaining("other.conf");
  }

  @Test
  void aTextCannotReadTheEnvironment() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.parse("ema.average.rule = ${PATH}"))
        .withMessageContaining("${PATH}");
  }

  @ParameterizedTest
  @ValueSource(strings = {"ema.average.schedule.of {", "a {", "["})
  void aTextThatIsNestedTooDeeplyIsRefused(String opening) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.parse(opening.repeat(100_000)))
        .withMessage("cannot read the configuration: it is nested too deeply");
  }

  @Test
  void aTextThatIsNoHoconIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.parse("ema.average {"))
        .withMessageStartingWith("cannot read the configuration: String: 1");
  }

  /** A checkpoint's text may be anyone's, and profiles can be made to inherit for hours. */
  @Test
  void whatACheckpointSaysIsAnAverageAlone() {
    String text = EmaConfig.defaults().toString();

    assertThat(EmaSections.saved(text)).isEqualTo(EmaConfig.defaults());
    for (String more :
        List.of(
            "ema.profiles { a { extends = b } }",
            "ema.bank { a { decay = 0.9 } }",
            "ema.kernel = simd",
            "other = 1",
            "ema.profiles = ${ema.average}")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> EmaSections.saved(text + ", " + more))
          .withMessage("a saved configuration says ema.average and nothing else");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaSections.saved("ema = ${x}"))
        .withMessageContaining("a saved configuration says");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaSections.saved(text + " ".repeat(1 << 14)))
        .withMessageStartingWith(
            "a saved configuration has at most 16384 characters, but this has");
  }
}
