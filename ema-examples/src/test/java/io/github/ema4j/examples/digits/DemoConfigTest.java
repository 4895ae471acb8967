package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.EmaStrategy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DemoConfigTest {
  @TempDir Path directory;

  private final Properties properties = new Properties();

  private DemoConfig read() {
    return DemoConfig.read(properties, directory);
  }

  private void useFile(String text) throws IOException {
    Files.writeString(directory.resolve("mine.conf"), text);
    properties.setProperty("demo.config", "mine.conf");
  }

  @Test
  void builtInFileIsTheDefault() {
    DemoConfig config = read();

    assertThat(config.backend()).isEqualTo("djl");
    assertThat(config.data()).isEmpty();
    assertThat(config.epochs()).isEqualTo(30);
    assertThat(config.seed()).isEqualTo(1);
    assertThat(config.labelNoise()).isEqualTo(0.2);
    assertThat(config.learningRate()).isEqualTo(0.1);
    assertThat(config.batchSize()).isEqualTo(32);
    assertThat(config.advise()).isFalse();
    assertThat(config.report()).contains(directory.resolve("target/report.html").toAbsolutePath());
    assertThat(config.ema())
        .isEqualTo(
            EmaConfig.defaults()
                .withStrategy(
                    EmaStrategy.nameMatched(0.995)
                        .scheduled(DecaySchedule.inversePowerWarmup(0.995))));
  }

  @Test
  void systemPropertiesWinOverTheFileAndTheFileOverTheBuiltInOne() throws IOException {
    useFile("demo { seed = 5, epochs = 7 }, ema.average.schedule.decay = 0.5");
    properties.setProperty("demo.seed", "2");
    properties.setProperty("demo.learningRate", "1e-2");
    properties.setProperty("ema.average.strategy", "ordered");

    DemoConfig config = read();

    assertThat(config.seed()).isEqualTo(2);
    assertThat(config.epochs()).isEqualTo(7);
    assertThat(config.learningRate()).isEqualTo(0.01);
    assertThat(config.batchSize()).isEqualTo(32);
    assertThat(config.ema().strategy())
        .isEqualTo(EmaStrategy.ordered(0.5).scheduled(DecaySchedule.inversePowerWarmup(0.5)));
  }

  @Test
  void theFileChoosesAnotherProfile() throws IOException {
    useFile("ema.average.extends = timm-v2");

    assertThat(read().ema()).isEqualTo(EmaConfig.preset("timm-v2"));
  }

  @Test
  void profilesAreChosenAndChangedByProperties() throws IOException {
    useFile("ema.profiles.slow { extends = timm-v3, schedule.decay = 0.999 }");
    properties.setProperty("ema.average.extends", "slow");
    properties.setProperty("ema.profiles.slow.schedule.decay", "0.99");

    assertThat(read().ema())
        .isEqualTo(EmaConfig.preset("timm-v3").withStrategy(EmaStrategy.ordered(0.99)));
  }

  @Test
  void anotherScheduleTakesNoParametersOfTheBuiltInOne() {
    properties.setProperty("ema.average.schedule.type", "half-life");
    properties.setProperty("ema.average.schedule.halfLife", "70");

    assertThat(read().ema().strategy().schedule()).isEqualTo(DecaySchedule.halfLife(70));
  }

  @Test
  void otherSystemPropertiesAreNobodysBusiness() {
    properties.setProperty("demo", "true");
    properties.setProperty("ema.test.excludedGroups", "full");
    properties.setProperty("user.name", "somebody");

    assertThat(read().seed()).isEqualTo(1);
  }

  @Test
  void relativeDataFileCountsFromTheWorkingDirectory() {
    properties.setProperty("demo.data", "data/mine.csv.gz");

    assertThat(read().data()).contains(directory.resolve("data/mine.csv.gz"));
  }

  @Test
  void absoluteDataFileStaysWhereItIs() {
    Path file = directory.resolveSibling("elsewhere.csv.gz").toAbsolutePath();
    properties.setProperty("demo.data", file.toString());

    assertThat(read().data()).contains(file);
  }

  @Test
  void everyProblemIsToldAtOnceWithFileAndLine() throws IOException {
    useFile(
        """
        demo.backend = tensorflow
        demo.epochs = 0
        demo.epoch = 3
        demo.batchSize = many
        ema.average.schedule.decay = 2
        ema.average.stratgy = ordered
        ema.avarage.strategy = ordered
        seed = 3
        """);
    properties.setProperty("demo.labelNoise", "1.5");
    properties.setProperty("demo.sede", "1");

    String file = directory.resolve("mine.conf").toAbsolutePath().toString();
    assertThatExceptionOfType(InputException.class)
        .isThrownBy(this::read)
        .satisfies(
            e ->
                assertThat(e.getMessage().lines().map(String::strip))
                    .hasSize(11)
                    .contains(
                        "the configuration has problems:",
                        file
                            + ": 1: demo.backend: must be one of djl, dl4j, torch, but was"
                            + " 'tensorflow'",
                        file + ": 2: demo.epochs: must be at least 1, but was 0",
                        "system properties: demo.labelNoise: must be in [0, 1], but was 1.5")
                    .anyMatch(line -> line.startsWith(file + ": 3: unknown key demo.epoch; known"))
                    .anyMatch(
                        line -> line.startsWith(file + ": 4: demo.batchSize: must be a whole"))
                    .anyMatch(line -> line.startsWith(file + ": 5: ema.average.schedule.decay: "))
                    .anyMatch(
                        line -> line.startsWith(file + ": 6: unknown key ema.average.stratgy"))
                    .anyMatch(line -> line.startsWith(file + ": 7: unknown key ema.avarage;"))
                    .anyMatch(line -> line.startsWith(file + ": 8: unknown key seed"))
                    .anyMatch(
                        line ->
                            line.startsWith("system properties: unknown key demo.sede; known")));
  }

  @ParameterizedTest
  @CsvSource({
    "demo.backend, keras",
    "demo.data, ''",
    "demo.epochs, 1.5",
    "demo.epochs, -1",
    "demo.epochs, 9999999999",
    "demo.seed, one",
    "demo.labelNoise, NaN",
    "demo.labelNoise, -0.1",
    "demo.learningRate, 0",
    "demo.learningRate, Infinity",
    "demo.learningRate, 1e-60",
    "demo.learningRate, fast",
    "demo.batchSize, 0",
    "demo.seed.of, 1",
    "ema.average.rule, sum",
  })
  void valuesOutOfRangeAreRefused(String key, String value) {
    properties.setProperty(key, value);

    assertThatExceptionOfType(InputException.class)
        .isThrownBy(this::read)
        .withMessageStartingWith("the configuration has problems:")
        .withMessageContaining("system properties: ")
        .withMessageContaining(key.equals("demo.seed.of") ? "demo.seed" : key);
  }

  @Test
  void sectionThatIsAValueIsRefused() throws IOException {
    useFile("demo = 3");

    assertThatExceptionOfType(InputException.class)
        .isThrownBy(this::read)
        .withMessageContaining("mine.conf: 1: demo has type NUMBER");
  }

  @Test
  void keyThatIsNullIsMissing() throws IOException {
    useFile("demo.epochs = null");

    assertThatExceptionOfType(InputException.class)
        .isThrownBy(this::read)
        .withMessageContaining("mine.conf: 1")
        .withMessageContaining("demo.epochs");
  }

  @Test
  void malformedFileIsRefusedWithItsLine() throws IOException {
    useFile("demo.seed = 1\ndemo { epochs = ");

    assertThatExceptionOfType(InputException.class)
        .isThrownBy(this::read)
        .withMessageStartingWith("cannot read the configuration: ")
        .withMessageContaining("mine.conf: 2");
  }

  @Test
  void unknownVariableIsRefusedWithItsLine() throws IOException {
    useFile("\ndemo.seed = ${nowhere.to.be.found}");

    assertThatExceptionOfType(InputException.class)
        .isThrownBy(this::read)
        .withMessageContaining("mine.conf: 2")
        .withMessageContaining("nowhere.to.be.found");
  }

  @Test
  void missingConfigurationFileIsRefused() {
    properties.setProperty("demo.config", "nowhere.conf");

    assertThatExceptionOfType(InputException.class)
        .isThrownBy(this::read)
        .withMessage(
            "configuration file %s: no such file",
            directory.resolve("nowhere.conf").toAbsolutePath());
  }
}
