package io.github.ema4j.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.merge.MergeWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.ExecutorLostFailure;
import org.apache.spark.Success$;
import org.apache.spark.TaskEndReason;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** On a master and two workers, each a process of its own. */
@Tag("full")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class SparkClusterTest {
  private static final double[] WEIGHTS = MergeWeights.uniform(3);

  @TempDir private Path folder;
  private Path output;

  @BeforeEach
  void createOutput() throws IOException {
    output = Files.createDirectory(folder.resolve("output"));
  }

  @Test
  void aClusterGivesTheBitsOfOneMachine() throws IOException {
    List<String> files = Checkpoints.write(folder, 1, 200_000);

    try (Cluster cluster = Cluster.start(folder.resolve("home"), 2);
        JavaSparkContext spark = new JavaSparkContext(cluster.conf())) {
      SparkAverages.average(spark, plan(files, output.toString(), 200_000));
    }

    assertAveraged(files);
  }

  @Test
  void aWorkerThatIsKilledIsReplacedByTheOther() throws IOException {
    int elements = 4_000_000;
    List<String> files = Checkpoints.write(folder, 2, elements);
    Ends ends = new Ends();

    try (Cluster cluster = Cluster.start(folder.resolve("home"), 2);
        JavaSparkContext spark = new JavaSparkContext(cluster.conf())) {
      ends.afterFirst = () -> cluster.kill(1);
      spark.sc().addSparkListener(ends);
      SparkAverages.average(spark, plan(files, output.toString(), elements));
    }

    assertThat(ends.reasons).anyMatch(ExecutorLostFailure.class::isInstance);
    assertAveraged(files);
  }

  @Test
  void aSpeculativeAttemptBesideOneThatHangsAndOneThatFailedDoNoHarm() throws IOException {
    List<String> files = Checkpoints.write(folder, 3, 200_000);
    Ends ends = new Ends();

    try (Cluster cluster = Cluster.start(folder.resolve("home"), 2);
        JavaSparkContext spark =
            new JavaSparkContext(
                cluster
                    .conf()
                    .set("spark.speculation", "true")
                    .set("spark.speculation.interval", "50ms")
                    .set("spark.speculation.quantile", "0.1")
                    .set("spark.speculation.minTaskRuntime", "100ms")
                    .set("spark.speculation.efficiency.enabled", "false"))) {
      FaultyFileSystem.register(
          spark.hadoopConfiguration(), Files.createDirectory(folder.resolve("marks")));
      spark.hadoopConfiguration().setInt(FaultyFileSystem.FAILURES, 1);
      spark.hadoopConfiguration().setInt(FaultyFileSystem.HANGING, 1);
      spark.sc().addSparkListener(ends);
      SparkAverages.average(spark, plan(files, "faulty:" + output, 200_000));
    }

    assertThat(ends.speculative).hasPositiveValue();
    assertThat(ends.reasons).anyMatch(reason -> reason != Success$.MODULE$);
    assertAveraged(files);
  }

  private static SparkPlan plan(List<String> files, String folder, int elements) {
    return SparkPlan.average(files, WEIGHTS, folder + "/average.safetensors")
        .withMaxShardBytes(elements)
        .withTaskBytes(1 << 20);
  }

  private void assertAveraged(List<String> files) throws IOException {
    Path index = output.resolve("average.safetensors.index.json");
    Path expected = Checkpoints.average(files, WEIGHTS, folder.resolve("expected.safetensors"));
    assertThat(Checkpoints.content(index)).isEqualTo(Checkpoints.content(expected));
    assertThat(Checkpoints.names(output)).hasSize(7 + 1);
  }

  /** Hears how attempts at tasks end, and does something after the first. */
  private static final class Ends extends SparkListener {
    private final List<TaskEndReason> reasons = Collections.synchronizedList(new ArrayList<>());
    private final AtomicInteger speculative = new AtomicInteger();
    private volatile Runnable afterFirst = () -> {};

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
      reasons.add(end.reason());
      if (end.taskInfo().speculative()) {
        speculative.incrementAndGet();
      }
      if (reasons.size() == 1) {
        afterFirst.run();
      }
    }
  }
}
