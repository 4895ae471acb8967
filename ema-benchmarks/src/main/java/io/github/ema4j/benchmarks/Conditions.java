package io.github.ema4j.benchmarks;

import com.google.common.io.Resources;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Stream;

/**
 * On what it was measured, and how often.
 *
 * @param otherJdk where the JDK beside this process' own is
 * @param minutes how long it took
 */
record Conditions(Scope scope, Optional<Path> otherJdk, long minutes) {

  /** Returns them in words, a line for each. */
  List<String> describe(List<Measurement> measurements) throws IOException {
    Properties versions = versions();
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s, %d cores, %s"
            .formatted(
                processor(),
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("os.name")));
    for (Path home : Stream.concat(Stream.of(JavaHome.own()), otherJdk.stream()).toList()) {
      lines.add("JDK " + JavaHome.version(home));
    }
    lines.add(versions.getProperty("frameworks"));
    lines.add(
        measurements.stream()
            .map(Measurement::process)
            .filter(process -> process.startsWith(Names.PYTHON))
            .findFirst()
            .orElse("no timm and PyTorch: " + PythonRun.PYTHON + " names a Python that has them"));
    lines.add(
        String.format(
            Locale.ROOT,
            "%d rounds of turns; JMH %s; %d minutes in all",
            scope.rounds(),
            versions.getProperty("jmh"),
            minutes));
    return lines;
  }

  private static Properties versions() throws IOException {
    Properties versions = new Properties();
    versions.load(
        new StringReader(
            Resources.toString(
                Resources.getResource("benchmark-versions.properties"), StandardCharsets.UTF_8)));
    return versions;
  }

  private static String processor() throws IOException {
    Path file = Path.of("/proc/cpuinfo");
    if (!Files.exists(file)) {
      return System.getProperty("os.arch");
    }
    try (Stream<String> lines = Files.lines(file)) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.replaceFirst(".*: *", ""))
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    }
  }
}
