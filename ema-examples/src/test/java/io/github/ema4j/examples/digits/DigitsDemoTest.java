package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.MoreCollectors;
import io.github.ema4j.EmaStrategy;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class DigitsDemoTest {
  private static final Pattern LAST =
      Pattern.compile(
          "accuracy: raw (0\\.\\d{4}), EMA (0\\.\\d{4}) \\(mean of the last 2 epochs\\)");

  @TempDir Path directory;

  private final Properties properties = new Properties();

  private record Run(int status, List<String> out, String err) {}

  private Run run() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int status;
    try (ProgressDisplay display = new ProgressDisplay(stream(out), stream(err), false)) {
      status = DigitsDemo.run(properties, directory, display);
    }
    return new Run(
        status,
        out.toString(StandardCharsets.UTF_8).lines().toList(),
        err.toString(StandardCharsets.UTF_8));
  }

  private static PrintStream stream(ByteArrayOutputStream bytes) {
    return new PrintStream(bytes, true, StandardCharsets.UTF_8);
  }

  @ParameterizedTest
  @ValueSource(strings = {"djl", "dl4j"})
  void networkAndAverageLearn(String backend) {
    properties.setProperty("demo.backend", backend);
    properties.setProperty("demo.epochs", "2");

    Run run = run();

    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(run.out()).hasSize(4);
    assertThat(run.out().get(1))
        .matches("epoch 1/2: loss \\d\\.\\d{4}, accuracy raw 0\\.\\d{4}, EMA 0\\.\\d{4}");
    Matcher last = LAST.matcher(run.out().get(3));
    assertThat(last.matches()).as(run.out().get(3)).isTrue();
    assertThat(Double.parseDouble(last.group(1))).as("raw, where chance is .1").isGreaterThan(0.6);
    assertThat(Double.parseDouble(last.group(2))).as("EMA, where chance is .1").isGreaterThan(0.6);
  }

  @ParameterizedTest
  @ValueSource(strings = {"djl", "dl4j"})
  void seedDecidesEveryNumber(String backend) {
    properties.setProperty("demo.backend", backend);
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("demo.seed", "4");
    Run first = run();
    Run second = run();
    properties.setProperty("demo.seed", "5");
    Run other = run();

    assertThat(second).isEqualTo(first);
    assertThat(other.out().get(1)).isNotEqualTo(first.out().get(1));
  }

  @Test
  void averageWithoutMemoryIsTheNetwork() {
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("ema.average.schedule.type", "constant");
    properties.setProperty("ema.average.schedule.decay", "0");

    Matcher epoch =
        Pattern.compile(".*raw (0\\.\\d{4}), EMA (0\\.\\d{4})").matcher(run().out().get(1));

    assertThat(epoch.matches()).isTrue();
    assertThat(epoch.group(2)).isEqualTo(epoch.group(1));
  }

  @Test
  void relativeFileOfLargerImagesTrains() throws IOException {
    GzipFiles.write(directory, GzipFiles.randomImages(65, 28, 3));
    properties.setProperty("demo.data", "images.csv.gz");
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("demo.batchSize", "17"); // the last batch has one image

    Run run = run();

    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out().get(0)).startsWith("52 training and 13 test images of 28x28 pixels, 3 cl");
  }

  @ParameterizedTest
  @ValueSource(strings = {"djl", "dl4j"})
  void smallestImagesTrainWithOneOfThemABatch(String backend) throws IOException {
    properties.setProperty("demo.backend", backend);
    GzipFiles.write(directory, GzipFiles.randomImages(10, DigitsData.MINIMUM_SIDE, 2));
    properties.setProperty("demo.data", "images.csv.gz");
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("demo.batchSize", "1");

    assertThat(run().status()).isZero();
  }

  @ParameterizedTest
  @MethodSource("configurationFiles")
  void everyStrategyAndScheduleTrainsFromItsOwnFile(Path file) throws Exception {
    GzipFiles.write(directory, GzipFiles.randomImages(160, 8, 2));
    properties.setProperty("demo.config", file.toString());
    properties.setProperty("demo.data", "images.csv.gz");
    properties.setProperty("demo.epochs", "2");

    Run run = run();

    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(LAST.matcher(run.out().get(3)).matches()).as(run.out().get(3)).isTrue();
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
  void missingDataFileIsOneErrorAndNothingElse() {
    properties.setProperty("demo.data", "nowhere.csv.gz");

    Run run = run();

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

    Run run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err()).startsWith("error: the configuration has problems:\n");
    assertThat(run.err().lines()).hasSize(3);
  }

  @ParameterizedTest
  @ValueSource(strings = {"djl", "dl4j"})
  void averageThatTheBackendCannotKeepIsOneError(String backend) {
    properties.setProperty("demo.backend", backend);
    properties.setProperty("ema.average.device", "cuda:7");

    Run run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .startsWith("error: backend " + backend + " cannot average as ema.average says: ")
        .contains("cuda:7");
  }

  @Test
  void trainingThatDivergesIsStoppedWithTheRemedy() {
    properties.setProperty("demo.learningRate", "1e30");
    properties.setProperty("demo.epochs", "2");

    Run run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .contains("'01Conv2d_weight' of the model has NaN or infinity")
        .contains("if training diverged, try a demo.learningRate below 1.0E30");
  }
}
