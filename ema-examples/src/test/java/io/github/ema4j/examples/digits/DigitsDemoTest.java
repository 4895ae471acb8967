package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
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

  @Test
  void networkAndAverageLearn() {
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

  @Test
  void seedDecidesEveryNumber() {
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

  @Test
  void smallestImagesTrainWithOneOfThemABatch() throws IOException {
    GzipFiles.write(directory, GzipFiles.randomImages(10, DigitsData.MINIMUM_SIDE, 2));
    properties.setProperty("demo.data", "images.csv.gz");
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("demo.batchSize", "1");

    assertThat(run().status()).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "constant",
        "inverse-power-warmup",
        "num-updates-warmup",
        "exponential-ramp",
        "momentum-annealing",
        "linear",
        "cosine",
        "piecewise",
        "half-life",
        "edm2-ramp",
        "power-function",
        "uniform-mean",
        "zero-debiased",
      })
  void everyScheduleTrainsFromItsOwnFile(String schedule) throws Exception {
    GzipFiles.write(directory, GzipFiles.randomImages(160, 8, 2));
    URL file = DigitsDemo.class.getResource("/schedules/" + schedule + ".conf");
    assertThat(file).isNotNull();
    properties.setProperty("demo.config", Path.of(file.toURI()).toString());
    properties.setProperty("demo.data", "images.csv.gz");
    properties.setProperty("demo.epochs", "2");

    Run run = run();

    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(LAST.matcher(run.out().get(3)).matches()).as(run.out().get(3)).isTrue();
  }

  @Test
  void everyScheduleFileIsRun() throws Exception {
    Path files = Path.of(DigitsDemo.class.getResource("/schedules").toURI());
    String[] run =
        DigitsDemoTest.class
            .getDeclaredMethod("everyScheduleTrainsFromItsOwnFile", String.class)
            .getAnnotation(ValueSource.class)
            .strings();

    try (Stream<Path> listed = Files.list(files)) {
      assertThat(listed.map(file -> file.getFileName().toString().replace(".conf", "")))
          .containsExactlyInAnyOrder(run);
    }
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

  @Test
  void averageThatTheBackendCannotKeepIsOneError() {
    properties.setProperty("ema.average.device", "cuda:7");

    Run run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .startsWith("error: backend djl cannot average as ema.average says: ")
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
