package io.github.ema4j.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.merge.MergeWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** Measures how time grows with bytes and workers, and prints a table of it. */
@Tag("full")
@EnabledIfSystemProperty(named = "ema.scaling", matches = "true", disabledReason = "a measurement")
class SparkScalingTest {
  private static final int INPUTS = 3;
  private static final int ROUNDS = 3;
  private static final int ELEMENTS = 4 << 20; // 16 MiB

  @TempDir private Path folder;

  @Test
  void timeGrowsWithBytesAndShrinksWithWorkers() throws IOException {
    List<Map<String, Checkpoints.Tensor>> results = new ArrayList<>();
    StringBuilder table =
        new StringBuilder(
            "| MiB read | MiB written | workers | s | MiB/s |\n|---|---|---|---|---|\n");
    for (int workers = 1; workers <= 2; workers++) {
      Path home = folder.resolve("home" + workers);
      try (Cluster cluster = Cluster.start(home, workers);
          JavaSparkContext spark = new JavaSparkContext(cluster.conf())) {
        average(spark, files(4), "warm-up");
        for (int tensors : new int[] {32, 64, 128}) {
          List<Double> seconds = new ArrayList<>();
          for (int round = 0; round < ROUNDS; round++) {
            seconds.add(average(spark, files(tensors), "average" + tensors));
          }
          Collections.sort(seconds);
          double median = seconds.get(ROUNDS / 2);
          int read = 16 * tensors * INPUTS;
          int written = 16 * tensors;
          table.append(
              String.format(
                  Locale.ROOT,
                  "| %,d | %,d | %d | %.1f | %.0f |%n",
                  read,
                  written,
                  workers,
                  median,
                  (read + written) / median));
        }
        results.add(Checkpoints.content(folder.resolve("average32.safetensors.index.json")));
      }
    }
    System.out.println(table);
    assertThat(results.get(0)).isEqualTo(results.get(1));
  }

  /** Averages, and returns the seconds that it took. */
  private double average(JavaSparkContext spark, List<String> files, String name)
      throws IOException {
    SparkPlan plan =
        SparkPlan.average(files, MergeWeights.uniform(INPUTS), folder + "/" + name)
            .withMaxShardBytes(64 << 20);
    long start = System.nanoTime();
    SparkAverages.average(spark, plan);
    return (System.nanoTime() - start) / 1e9;
  }

  /** Returns checkpoints of so many tensors, which are written if they are not there. */
  private List<String> files(int tensors) throws IOException {
    List<String> files = new ArrayList<>();
    for (int i = 0; i < INPUTS; i++) {
      Path path = folder.resolve("input" + tensors + "-" + i + ".safetensors");
      if (Files.notExists(path)) {
        float[] values = new float[ELEMENTS];
        Random random = new Random(i);
        IntStream.range(0, ELEMENTS).forEach(e -> values[e] = random.nextFloat());
        StateDict.Builder<ArrayTensor> model = StateDict.builder(ArrayBackend.instance());
        for (int t = 0; t < tensors; t++) {
          model.parameter("layer" + t, ArrayTensor.of(values, ELEMENTS));
        }
        TensorFile.write(path, model.build(), Map.of());
      }
      files.add(path.toString());
    }
    return files;
  }
}
