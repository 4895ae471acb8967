package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class EmaCommandTest {
  private static final List<String> COMMANDS =
      List.of("inspect", "diff", "average", "posthoc", "convert", "schedule", "completion");

  @Test
  void helpTellsOfEveryCommand() {
    assertThat(Ema.done("--help").out()).contains(COMMANDS).contains("Exit codes:");
    for (String command : COMMANDS) {
      assertThat(Ema.done(command, "--help").out())
          .startsWith("Usage: ema " + command)
          .doesNotContain("${");
    }
  }

  @Test
  void versionsAreTold() {
    assertThat(Ema.done("--version").out())
        .matches(
            "(?s)ema [0-9]+\\.[0-9]+\\.[0-9]+.*Java " + System.getProperty("java.version") + ".*");
  }

  @Test
  void completionIsAScriptOfEveryCommand() {
    assertThat(Ema.done("completion").out())
        .startsWith("#!/usr/bin/env bash")
        .contains(COMMANDS)
        .contains("--sigma-rel", "complete -F _complete_ema");
  }

  @Test
  void aCommandIsNeeded() {
    Ema none = Ema.run();
    assertThat(none.exit()).isEqualTo(2);
    assertThat(none.err().lines()).containsExactly("ema: name a command", "Try 'ema --help'.");
    Ema unknown = Ema.run("avrage");
    assertThat(unknown.exit()).isEqualTo(2);
    assertThat(unknown.err()).contains("Did you mean: ema average");
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "16M, 16777216",
    "16MiB, 16777216",
    "5GB, 5000000000",
    "1.5K, 1536",
    "2T, 2199023255552"
  })
  void sizesAreRead(String text, long bytes) {
    assertThat(new Sizes().convert(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-1", "1X", "1 GB", "1iB2", "99999999T", "NaN"})
  void whatIsNoSizeIsRefused(String text) {
    assertThatExceptionOfType(TypeConversionException.class)
        .isThrownBy(() -> new Sizes().convert(text))
        .withMessage("'" + text + "' is no size such as 512M, 2GiB or 5GB");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "999, 999 B",
    "1000, 1.0 kB",
    "999949, 999.9 kB",
    "999951, 1.0 MB",
    "20000000000, 20.0 GB"
  })
  void sizesAreWritten(long bytes, String text) {
    assertThat(Sizes.text(bytes)).isEqualTo(text);
  }

  @Test
  void progressIsShownOnATerminalAlone() {
    StringWriter shown = new StringWriter();
    try (ProgressBar bar = new ProgressBar(new PrintWriter(shown), true, "average", 200)) {
      bar.accept(50);
    }
    assertThat(shown.toString())
        .startsWith("\raverage [#######.......................]  25%  50 B of 200 B, ")
        .endsWith("\r\u001b[K");
    StringWriter silent = new StringWriter();
    try (ProgressBar bar = new ProgressBar(new PrintWriter(silent), false, "average", 200)) {
      bar.accept(50);
    }
    assertThat(silent.toString()).isEmpty();
  }
}
