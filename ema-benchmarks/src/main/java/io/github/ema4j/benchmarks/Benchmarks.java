package io.github.ema4j.benchmarks;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.io.Resources;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Stream;
import org.openjdk.jmh.runner.RunnerException;

/**
 * Measures everything, one process after another, and writes the report.
 *
 * <p>JMH measures one benchmark from its first iteration to its last before the next begins. That
 * suits kernels that stay in the cache. What goes to memory depends on what else the machine does,
 * which changes within minutes: a ratio of two such numbers must come from turns taken within one
 * process, and so {@link Rounds} measures those.
 */
public final class Benchmarks {
  private final Scope scope;
  private final Path folder;
  private final Optional<Path> otherJdk;

  private Benchmarks(Scope scope, Path folder, Optional<Path> otherJdk) {
    this.scope = scope;
    this.folder = folder;
    this.otherJdk = otherJdk;
  }

  /**
   * Runs it.
   *
   * @param args {@code --quick} for a smoke run; {@code --other-jdk} and the home of a JDK beside
   *     this process' own; the folder to write to
   */
  public static void main(String[] args) throws IOException, InterruptedException, RunnerException {
    Scope scope = Scope.FULL;
    Optional<Path> folder = Optional.empty();
    Optional<Path> otherJdk = Optional.empty();
    Iterator<String> words = Arrays.asList(args).iterator();
    while (words.hasNext()) {
      String word = words.next();
      switch (word) {
        case "--quick" -> scope = Scope.QUICK;
        case "--other-jdk" -> otherJdk = Optional.of(Path.of(words.next()));
        default -> folder = Optional.of(Path.of(word));
      }
    }
    checkArgument(folder.isPresent(), "expected a folder to write to");
    new Benchmarks(scope, folder.get(), otherJdk).run();
  }

  /** Measures; if something fails, what was measured before is written all the same. */
  private void run() throws IOException, InterruptedException, RunnerException {
    long begin = System.nanoTime();
    List<Measurement> measurements = new ArrayList<>();
    List<Measurement> python = List.of();
    List<MicroBenchmark> microBenchmarks = List.of();
    try {
      for (JvmRun run : program()) {
        System.out.println(run.framework() + " on " + run.javaHome());
        measurements.addAll(run.run(scope));
      }
      System.out.println("Python");
      python = PythonRun.run(scope);
      measurements.addAll(python);
      microBenchmarks = MicroBenchmarks.run(scope);
    } finally {
      long minutes = (System.nanoTime() - begin) / 60_000_000_000L;
      new Report(measurements, microBenchmarks).write(folder, conditions(python, minutes));
    }
  }

  /** What there is to measure on the JVM, what matters most first. */
  private List<JvmRun> program() {
    Path own = JavaHome.own();
    List<JvmRun> program = new ArrayList<>();
    program.add(
        new JvmRun(
            "torch",
            own,
            List.of(Part.FLOAT32, Part.BFLOAT16, Part.BANK, Part.LINEAR, Part.TRAINING)));
    otherJdk.ifPresent(
        other -> {
          program.add(new JvmRun("torch", other, List.of(Part.SHORT_FLOAT32, Part.BANK)));
          program.add(new JvmRun("arrays", other, List.of(Part.SHORT_FLOAT32)));
        });
    program.add(new JvmRun("arrays", own, List.of(Part.FLOAT32, Part.SHORT_BFLOAT16)));
    program.add(new JvmRun("djl", own, List.of(Part.FLOAT32, Part.TRAINING)));
    program.add(new JvmRun("dl4j", own, List.of(Part.FLOAT32, Part.SHORT_BFLOAT16, Part.TRAINING)));
    return program;
  }

  /** Says on what it was measured. */
  private List<String> conditions(List<Measurement> python, long minutes) throws IOException {
    List<String> conditions = new ArrayList<>();
    conditions.add(
        "%s, %d cores, %s"
            .formatted(
                processor(),
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("os.name")));
    for (Path home : Stream.concat(Stream.of(JavaHome.own()), otherJdk.stream()).toList()) {
      conditions.add("JDK " + JavaHome.version(home));
    }
    Properties versions = new Properties();
    try (Reader reader =
        new StringReader(
            Resources.toString(
                Resources.getResource("benchmark-versions.properties"), StandardCharsets.UTF_8))) {
      versions.load(reader);
    }
    conditions.add(versions.getProperty("frameworks"));
    conditions.add(
        python.isEmpty()
            ? "no timm and PyTorch in Python: " + PythonRun.PYTHON + " names a Python that has them"
            : python.get(0).process());
    conditions.add(
        String.format(
            Locale.ROOT,
            "%d rounds of turns; JMH %s; %d minutes in all",
            scope.rounds(),
            versions.getProperty("jmh"),
            minutes));
    return conditions;
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
