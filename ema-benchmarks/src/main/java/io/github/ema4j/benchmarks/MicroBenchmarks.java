package io.github.ema4j.benchmarks;

import static java.util.Objects.requireNonNull;

import java.util.Collection;
import java.util.List;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Has JMH run {@link UpdateBenchmark}, each setting in a JVM of its own with this one's options.
 */
final class MicroBenchmarks {
  private static final TimeValue HALF_A_SECOND = TimeValue.milliseconds(500);
  private static final TimeValue MOMENT = TimeValue.milliseconds(10);

  private MicroBenchmarks() {}

  static List<MicroBenchmark> run(Scope scope) throws RunnerException {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(UpdateBenchmark.class.getName())
            .param("kernel", Kernel.available().stream().map(Kernel::label).toArray(String[]::new))
            .addProfiler(GCProfiler.class)
            .forks(1);
    if (scope.isQuick()) {
      options
          .param("elements", "1000")
          .param("setting", UpdateBenchmark.Setting.FLOAT32.name())
          .warmupIterations(1)
          .warmupTime(MOMENT)
          .measurementIterations(2)
          .measurementTime(MOMENT);
    } else {
      options
          .warmupIterations(3)
          .warmupTime(HALF_A_SECOND)
          .measurementIterations(5)
          .measurementTime(HALF_A_SECOND);
    }
    Collection<RunResult> results = new Runner(options.build()).run();
    return results.stream().map(MicroBenchmarks::microBenchmark).toList();
  }

  private static MicroBenchmark microBenchmark(RunResult result) {
    BenchmarkParams params = result.getParams();
    Result<?> time = result.getPrimaryResult();
    return new MicroBenchmark(
        params.getParam("kernel"),
        params.getParam("elements"),
        params.getParam("setting"),
        time.getScore(),
        time.getScoreError(),
        requireNonNull(result.getSecondaryResults().get("gc.alloc.rate.norm")).getScore());
  }
}
