package io.github.ema4j.benchmarks;

import static com.google.common.base.Preconditions.checkArgument;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
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

  /** Measures. If a process fails, the others go on, as each counts by itself. */
  private void run() throws IOException, InterruptedException, RunnerException {
    long begin = System.nanoTime();
    List<Measurement> measurements = new ArrayList<>();
    Optional<IllegalStateException> failure = Optional.empty();
    for (MeasuringProcess process : program()) {
      try {
        measurements.addAll(process.run(scope));
      } catch (IllegalStateException e) {
        failure = Optional.of(e);
      }
    }
    List<MicroBenchmark> microBenchmarks = MicroBenchmarks.run(scope);
    long minutes = (System.nanoTime() - begin) / 60_000_000_000L;
    new Report(measurements, microBenchmarks)
        .write(folder, new Conditions(scope, otherJdk, minutes).describe(measurements));
    if (failure.isPresent()) {
      throw failure.get();
    }
  }

  private List<MeasuringProcess> program() {
    Path own = JavaHome.own();
    List<MeasuringProcess> program = new ArrayList<>();
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
    program.add(new PythonRun());
    return program;
  }
}
