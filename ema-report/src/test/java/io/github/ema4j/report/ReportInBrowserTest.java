package io.github.ema4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The page as a browser lays it out: skipped where there is none. */
class ReportInBrowserTest {
  private static final String LIGHT = "rgb(255, 255, 255)";
  private static final String DARK = "rgb(18, 22, 27)";

  @TempDir Path folder;

  @ParameterizedTest(name = "{0} pixels wide, dark: {1}")
  @CsvSource({"1200, false", "500, true"})
  void chartsHaveMarksAndNothingIsCutOffOrHardToRead(int width, boolean dark) throws Exception {
    Browser browser = Browser.find().orElse(null);
    assumeTrue(browser != null, "no Chromium on the path");
    Path file = folder.resolve("report.html");
    SampleTraining.run(EmaReport.to(file).title("A <b>sample</b>").note("seed", 5), 12, 40);

    String seen = browser.open(withScript(file), width, dark);

    assertThat(attribute(seen, "problems")).isEmpty();
    assertThat(attribute(seen, "charts")).isEqualTo("6");
    assertThat(attribute(seen, "background")).isEqualTo(dark ? DARK : LIGHT);
  }

  @Tag("full") // a browser takes its time to start
  @ParameterizedTest(name = "{0} epochs of {1} steps")
  @CsvSource({"1, 1", "1, 2", "70, 1", "3, 3000"})
  void shortAndLongTrainingsAreShownAsWell(int epochs, int steps) throws Exception {
    Browser browser = Browser.find().orElse(null);
    assumeTrue(browser != null, "no Chromium on the path");
    Path file = folder.resolve("report.html");
    SampleTraining.run(EmaReport.to(file), epochs, steps);

    String seen = browser.open(withScript(file), 1200, false);

    String problems = attribute(seen, "problems");
    if (steps * epochs == 1) { // what has one point has no line
      assertThat(problems.lines()).allMatch(problem -> problem.contains("a line is"));
    } else if (epochs == 1) {
      assertThat(problems.lines()).allMatch(problem -> problem.startsWith("accuracy"));
    } else {
      assertThat(problems).isEmpty();
    }
  }

  private Path withScript(Path file) throws IOException {
    String script;
    try (var in = ReportInBrowserTest.class.getResourceAsStream("look.js")) {
      script = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    Path page = folder.resolve("looked-at.html");
    String html = Files.readString(file);
    Files.writeString(page, html.replace("</body>", "<script>" + script + "</script></body>"));
    return page;
  }

  private static String attribute(String seen, String name) {
    Matcher matcher = Pattern.compile("data-" + name + "=\"([^\"]*)\"").matcher(seen);
    assertThat(matcher.find()).as("the script has run").isTrue();
    return matcher.group(1);
  }
}
