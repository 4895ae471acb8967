package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.MoreCollectors;
import io.github.ema4j.EmaStrategy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class DigitsDemoTest {
  @TempDir Path directory;

  private final Properties properties = new Properties();

  private DemoRun run() {
    return DemoRun.of(properties, directory);
  }

  @ParameterizedTest
  @MethodSource("configurationFiles")
  void everyStrategyAndScheduleTrainsFromItsOwnFile(Path file) throws Exception {
    GzipFiles.write(directory, GzipFiles.randomImages(160, 8, 2));
    properties.setProperty("demo.config", file.toString());
    properties.setProperty("demo.data", "images.csv.gz");
    properties.setProperty("demo.epochs", "2");

    DemoRun run = run();

    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(DemoRun.LAST.matcher(run.out().get(4)).matches()).as(run.out().get(4)).isTrue();
  }

  static List<Path> configurationFiles() throws Exception {
    List<Path> files = new ArrayList<>();
    for (String folder : List.of("/strategies", "/schedules")) {
      Path resources = Path.of(DigitsDemo.class.getResource(folder).toURI());
      try (Stream<Path> listed = Files.list(resources)) {
        files.addAll(listed.sorted().toList());
      }
    }
    return files;
  }

  /** The file of a type is named after it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "strategies/name-matched",
        "strategies/ordered",
        "strategies/timm-v1",
        "strategies/timm-v2",
        "strategies/timm-v3",
        "schedules/constant",
        "schedules/inverse-power-warmup",
        "schedules/num-updates-warmup",
        "schedules/exponential-ramp",
        "schedules/momentum-annealing",
        "schedules/linear",
        "schedules/cosine",
        "schedules/piecewise",
        "schedules/half-life",
        "schedules/edm2-ramp",
        "schedules/power-function",
        "schedules/uniform-mean",
        "schedules/zero-debiased",
      })
  void everyStrategyAndScheduleHasAFileThatChoosesIt(String name) throws Exception {
    Path file =
        configurationFiles().stream()
            .filter(each -> each.endsWith(name + ".conf"))
            .collect(MoreCollectors.onlyElement());
    properties.setProperty("demo.config", file.toString());

    EmaStrategy strategy = DemoConfig.read(properties, directory).ema().strategy();

    switch (name) {
      case "strategies/name-matched", "strategies/timm-v1" ->
          assertThat(strategy.pairing()).isEqualTo(EmaStrategy.Pairing.NAME_MATCHED);
      case "strategies/ordered", "strategies/timm-v2", "strategies/timm-v3" ->
          assertThat(strategy.pairing()).isEqualTo(EmaStrategy.Pairing.ORDERED);
      case "schedules/zero-debiased" -> assertThat(strategy.schedule().isZeroDebiased()).isTrue();
      default -> assertThat(Files.readString(file)).contains("type = " + file(name) + "\n");
    }
  }

  private static String file(String name) {
    return name.substring(name.indexOf('/') + 1);
  }

  @Test
  void theConfigurationAloneSwitchesTheAverage() throws IOException {
    String slow = "ema.average.extends = timm-v2";
    String fast = "ema.average.schedule { type = half-life, halfLife = 3 }";
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("demo.config", "mine.conf");
    List<String> networks = new ArrayList<>();
    List<String> averages = new ArrayList<>();
    for (String configuration : List.of(slow, fast)) {
      Files.writeString(directory.resolve("mine.conf"), configuration);
      String epoch = run().out().get(1);
      networks.add(epoch.replaceFirst(", EMA.*", ""));
      averages.add(epoch.replaceFirst(".*, EMA ", ""));
    }
    assertThat(networks.get(1)).isEqualTo(networks.get(0));
    assertThat(Double.parseDouble(averages.get(0))).as("as at the start").isLessThan(0.3);
    assertThat(Double.parseDouble(averages.get(1))).as("as of late").isGreaterThan(0.6);
  }

  @Test
  void noReportIsWrittenWhereNoneIsWanted() throws IOException {
    Files.writeString(directory.resolve("mine.conf"), "demo { report = null, epochs = 1 }");
    properties.setProperty("demo.config", "mine.conf");

    assertThat(run().out()).hasSize(3);
    try (Stream<Path> files = Files.list(directory)) {
      assertThat(files).containsExactly(directory.resolve("mine.conf"));
    }
  }

  @Test
  void missingDataFileIsOneErrorAndNothingElse() {
    properties.setProperty("demo.data", "nowhere.csv.gz");

    DemoRun run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .startsWith("error: data file " + directory.resolve("nowhere.csv.gz") + ": no such file");
  }

  @Test
  void malformedConfigurationIsOneErrorAndNothingElse() throws IOException {
    Files.writeString(directory.resolve("mine.conf"), "demo.epochs = 0\ndemo.epoch = 1\n");
    properties.setProperty("demo.config", "mine.conf");

    DemoRun run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err()).startsWith("error: the configuration has problems:\n");
    assertThat(run.err().lines()).hasSize(3);
  }

  @Test
  void trainingThatDivergesIsStoppedWithTheRemedy() {
    properties.setProperty("demo.learningRate", "1e30");
    properties.setProperty("demo.epochs", "2");

    DemoRun run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .contains("'01Conv2d_weight' of the model has NaN or infinity")
        .contains("if training diverged, try a demo.learningRate below 1.0E30");
  }
}
