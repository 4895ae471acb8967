package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.base.Splitter;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProgressDisplayTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private ProgressDisplay display(boolean terminal) {
    return new ProgressDisplay(stream(out), stream(err), terminal);
  }

  private static PrintStream stream(ByteArrayOutputStream bytes) {
    return new PrintStream(bytes, true, StandardCharsets.UTF_8);
  }

  private void show(boolean terminal) {
    try (ProgressDisplay display = display(terminal)) {
      display.line("before");
      display.begin("training", 2);
      display.step();
      display.line("half");
      display.step();
      display.end();
      display.line("after");
    }
  }

  @Test
  void withoutTerminalThereAreOnlyLines() {
    show(false);

    assertThat(out.toString(StandardCharsets.UTF_8).lines())
        .containsExactly("before", "half", "after");
    assertThat(out.toString(StandardCharsets.UTF_8)).doesNotContain("\r");
  }

  @Test
  void terminalShowsABarAndKeepsTheLines() {
    show(true);

    String shown = out.toString(StandardCharsets.UTF_8);
    assertThat(shown).contains("training 100%", "2/2");
    List<String> lines = Splitter.on(System.lineSeparator()).splitToList(shown);
    assertThat(lines).hasSize(4);
    assertThat(lines.get(0)).isEqualTo("before");
    assertThat(lines.get(1)).endsWith("\rhalf");
    assertThat(lines.get(2)).endsWith("\rafter");
    assertThat(lines.get(3)).isEmpty();
  }

  @Test
  void errorsGoToTheirOwnStreamAndEndTheBar() {
    try (ProgressDisplay display = display(true)) {
      display.begin("training", 2);
      display.error("no such file");
    }

    assertThat(err.toString(StandardCharsets.UTF_8).lines()).containsExactly("error: no such file");
    assertThat(out.toString(StandardCharsets.UTF_8)).endsWith("\r");
  }
}
