package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the demo does whatever the framework; each subclass runs in a JVM of its own. */
abstract class DemoBackendTest {
  @TempDir Path directory;

  private final Properties properties = new Properties();

  abstract String backend();

  @BeforeEach
  void chooseBackend() {
    properties.setProperty("demo.backend", backend());
  }

  private DemoRun run() {
    return DemoRun.of(properties, directory);
  }

  @Test
  void networkAndAverageLearnAndAReportIsWritten() throws IOException {
    properties.setProperty("demo.epochs", "2");
    properties.setProperty("demo.report", "reports/mine.html");

    DemoRun run = run();

    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(run.out()).hasSize(5);
    assertThat(run.out().get(1))
        .matches("epoch 1/2: loss \\d\\.\\d{4}, accuracy raw 0\\.\\d{4}, EMA 0\\.\\d{4}");
    Matcher last = DemoRun.LAST.matcher(run.out().get(4));
    assertThat(last.matches()).as(run.out().get(4)).isTrue();
    assertThat(Double.parseDouble(last.group(1))).as("raw, where chance is .1").isGreaterThan(0.6);
    assertThat(Double.parseDouble(last.group(2))).as("EMA, where chance is .1").isGreaterThan(0.6);
    Path report = directory.resolve("reports/mine.html");
    assertThat(run.out().get(3)).isEqualTo("report: " + report);
    assertThat(Files.readString(report))
        .contains("Loss by step", "accuracy by evaluation", "backend " + backend())
        .contains("<caption>Drift of each layer at update 90</caption>");
  }

  @Test
  void adviceIsGivenAndTaken() {
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("demo.advise", "true");

    DemoRun run = run();

    assertThat(run.err()).isEmpty();
    assertThat(run.out().get(0)).isEqualTo("After 36 updates, on validation data:");
    assertThat(run.out().subList(1, 8)).anyMatch(line -> line.endsWith(", best"));
    assertThat(run.out().get(10)).matches("training with decay 0\\.\\d{6}");
    assertThat(run.out().get(12)).startsWith("epoch 1/1: loss");
  }

  @Test
  void seedDecidesEveryNumber() {
    properties.setProperty("demo.epochs", "1");
    properties.setProperty("demo.seed", "4");
    DemoRun first = run();
    DemoRun second = run();
    properties.setProperty("demo.seed", "5");
    DemoRun other = run();

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

    DemoRun run = run();

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

  @Test
  void averageThatTheBackendCannotKeepIsOneError() {
    properties.setProperty("ema.average.device", "cuda:7");

    DemoRun run = run();

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .startsWith("error: backend " + backend() + " cannot average as ema.average says: ")
        .contains("cuda:7");
  }
}
