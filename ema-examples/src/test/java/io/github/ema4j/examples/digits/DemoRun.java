package io.github.ema4j.examples.digits;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.regex.Pattern;

/** What one run of the demo printed, and its exit status. */
record DemoRun(int status, List<String> out, String err) {
  static final Pattern LAST =
      Pattern.compile(
          "accuracy: raw (0\\.\\d{4}), EMA (0\\.\\d{4}) \\(mean of the last 2 epochs\\)");

  static DemoRun of(Properties properties, Path directory) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int status;
    try (ProgressDisplay display = new ProgressDisplay(stream(out), stream(err), false)) {
      status = DigitsDemo.run(properties, directory, display);
    }
    return new DemoRun(
        status,
        out.toString(StandardCharsets.UTF_8).lines().toList(),
        err.toString(StandardCharsets.UTF_8));
  }

  private static PrintStream stream(ByteArrayOutputStream bytes) {
    return new PrintStream(bytes, true, StandardCharsets.UTF_8);
  }
}
