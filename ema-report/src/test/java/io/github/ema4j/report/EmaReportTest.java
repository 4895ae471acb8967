package io.github.ema4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmaReportTest {
  @TempDir Path folder;

  private final float[] weights = {1};
  private final StateDict<ArrayTensor> model =
      StateDict.builder(ArrayBackend.instance()).parameter("w", ArrayTensor.of(weights, 1)).build();

  private Path file() {
    return folder.resolve("sub/folder/report.html");
  }

  private ModelEma<StateDict<ArrayTensor>> average(EmaReport report) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0.5))
        .guard(NonFiniteGuard.SKIP)
        .listener(report)
        .build(model);
  }

  /** Returns the rows of the table of that caption, cells joined. */
  private List<String> table(String caption) throws IOException {
    String html = Files.readString(file());
    int begin = html.indexOf("<caption>" + caption + "</caption>");
    assertThat(begin).as("table '%s'", caption).isPositive();
    String body = html.substring(html.indexOf("<tbody>", begin), html.indexOf("</tbody>", begin));
    return body.lines()
        .map(row -> row.replaceAll("<[^>]*>", " ").strip().replaceAll(" +", " "))
        .toList();
  }

  private String fact(String name) throws IOException {
    return Pattern.compile("<dt>" + name + "</dt><dd>([^<]*)</dd>")
        .matcher(Files.readString(file()))
        .results()
        .map(match -> match.group(1))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void oneLineTellsAllThatTheAverageKnows() throws IOException {
    Path file = file();
    var adapter = ArrayBackend.adapter();
    // tag::report[]
    EmaReport report = EmaReport.to(file).title("My training");
    try (var ema =
        ModelEma.builder(adapter)
            .strategy(EmaStrategy.nameMatched(0.5))
            .listener(report) // the one line
            .build(model)) {
      for (int step = 0; step < 4; step++) {
        weights[0] += 1; // a step of the training
        ema.update(model);
      }
    } // the report is written
    // end::report[]
    assertThat(fact("Updates")).isEqualTo("4");
    assertThat(fact("Decay now")).isEqualTo("0.5000");
    assertThat(fact("Effective window")).isEqualTo("2");
    assertThat(fact("Weight of the start")).isEqualTo("6.25 %");
    assertThat(table("Decay of each update"))
        .containsExactly("1 0.500", "2 0.500", "3 0.500", "4 0.500");
    assertThat(table("Weight of the starting point over time"))
        .containsExactly("1 0.5000", "2 0.2500", "3 0.1250", "4 0.0625");
    // Of 4 updates, each of which would have a quarter
    assertThat(table("What the average consists of at the end"))
        .containsExactly("1 0.2500", "2 0.5000", "3 1", "4 2");
    // The averages are 1.5, 2.25, 3.125, 4.0625.
    assertThat(table("Drift over time"))
        .containsExactly("1 0.3333 0.3333", "2 0.3333 0.3333", "4 0.2308 0.2308");
    assertThat(table("Drift of each layer at update 4")).containsExactly("w 0.2308");
    assertThat(Files.readString(file())).contains("type = constant, decay = 0.5");
    assertThat(fact("ema4j")).matches("\\d+\\.\\d+\\.\\d+.*");
    assertThat(fact("Java")).startsWith(System.getProperty("java.version"));
    assertThat(fact("Backend")).startsWith("array");
    assertThat(fact("Share")).endsWith(" %");
  }

  @Test
  void lossAndMetricsAreShownRawAndSmoothed() throws IOException {
    EmaReport report = EmaReport.to(file()).note("seed", 7);
    for (double loss : new double[] {4, 2, Double.NaN, 3}) {
      report.loss(loss);
    }
    report.evaluated("accuracy", 0.5, 0.75);
    report.evaluated("accuracy", 0.625, 0.875);
    report.evaluated("f1", 0.25, 0.5);
    report.write();

    // The first two are weighted 1 and 1 - 2/11.
    assertThat(table("Loss by step"))
        .containsExactly("1 4 4", "2 2 2.9000", "3 – 2.9000", "4 3 2.9402");
    assertThat(Files.readString(file())).contains("1 values were not finite, and are left out.");
    assertThat(table("accuracy by evaluation"))
        .containsExactly("1 0.5000 0.7500", "2 0.6250 0.8750");
    assertThat(table("f1 by evaluation")).containsExactly("1 0.2500 0.5000");
    assertThat(Files.readString(file()))
        .contains("At the last evaluation: accuracy raw 0.6250, EMA 0.8750.");
    assertThat(fact("seed")).isEqualTo("7");
  }

  @Test
  void skippedUpdatesAreTold() throws IOException {
    try (var ema = average(EmaReport.to(file()))) {
      ema.update(model);
      weights[0] = Float.NaN;
      ema.update(model);
      weights[0] = 1;
    }
    assertThat(fact("Skipped as not finite")).isEqualTo("1");
    assertThat(fact("Updates")).isEqualTo("1");
  }

  @Test
  void thePageNeedsNothingFromElsewhereAndIsReadAloud() throws IOException {
    SampleTraining.run(EmaReport.to(file()), 3, 20);

    String html = Files.readString(file());
    assertThat(html).doesNotContain("http").doesNotContain("src=").doesNotContain("@import");
    assertThat(html).doesNotContain("url(").doesNotContain("<script").contains("lang=\"en\"");
    List<String> charts =
        Pattern.compile("<svg class='chart'[^>]*>")
            .matcher(html)
            .results()
            .map(MatchResult::group)
            .toList();
    assertThat(charts).hasSize(6);
    for (String chart : charts) {
      assertThat(chart).contains("role='img'");
      String labels = chart.replaceAll(".*aria-labelledby='([^']*)'.*", "$1");
      for (String id : labels.split(" ", -1)) {
        assertThat(html.split("id='" + id + "'", -1)).as("id %s", id).hasSize(2);
      }
    }
    assertThat(html.split("<details>", -1)).as("a table behind each chart").hasSize(7);
    assertThat(html).contains("EMA: from ").contains(", lowest ");
    for (MatchResult link : Pattern.compile("href='#([^']*)'").matcher(html).results().toList()) {
      assertThat(html).contains("<section id='" + link.group(1) + "'");
    }
  }

  @Test
  void whatIsTextIsNoMarkup() throws IOException {
    String evil = "<script>alert('\"&')</script>";
    EmaReport report = EmaReport.to(file()).title(evil).note(evil, evil);
    report.evaluated(evil, 0, 1);
    report.write();

    assertThat(Files.readString(file())).doesNotContain("<script").contains("&lt;script&gt;");
  }

  @Test
  void longTrainingsTakeNoMoreRoom() throws IOException {
    EmaReport report = EmaReport.to(file());
    for (int step = 0; step < 100_000; step++) {
      report.loss(1 + step % 2);
    }
    report.write();

    assertThat(Files.size(file())).isLessThan(60_000);
    assertThat(table("Loss by step")).hasSize(60).allMatch(row -> row.contains(" 1.5000 "));
    assertThat(table("Loss by step").get(59)).startsWith("100,000 ");
    assertThat(Files.readString(file())).contains("smoothed over a window of 10,000");
  }

  @Test
  void aReportWithNothingToTellIsStillAPage() throws IOException {
    EmaReport.to(file()).write();
    average(EmaReport.to(folder.resolve("other.html"))).close();

    assertThat(Files.readString(file()))
        .contains("<h1>Training</h1>")
        .doesNotContain("<svg class='chart'");
    assertThat(folder.resolve("other.html")).content().contains("Configuration");
  }

  @Test
  void aFileThatCannotBeWrittenDoesNotStopTheTraining() throws IOException {
    Path inTheWay = Files.createFile(folder.resolve("sub"));
    EmaReport report = EmaReport.to(file());
    var ema = average(report);
    ema.update(model);

    assertThatNoException().isThrownBy(ema::close);
    assertThatIllegalStateException().as("closed").isThrownBy(ema::state);
    assertThatIOException().isThrownBy(report::write);
    assertThat(inTheWay).isEmptyFile();
  }

  @Test
  void aReportIsOfOneAverage() {
    EmaReport report = EmaReport.to(file());
    average(report).close();
    assertThatIllegalStateException()
        .isThrownBy(() -> average(report))
        .withMessage("the report is of one average; give the next one its own");
  }

  @Test
  void theMeanOfAllIsEvenInWhatItConsistsOf() throws IOException {
    EmaReport report = EmaReport.to(file());
    try (var ema =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(
                EmaStrategy.nameMatched(0).scheduled(io.github.ema4j.DecaySchedule.uniformMean()))
            .listener(report)
            .build(model)) {
      for (int step = 0; step < 2_000; step++) {
        ema.update(model);
      }
    }
    assertThat(table("What the average consists of at the end"))
        .hasSize(60)
        .allMatch(row -> row.endsWith(" 1") || row.endsWith(" 1.0000"));
  }
}
