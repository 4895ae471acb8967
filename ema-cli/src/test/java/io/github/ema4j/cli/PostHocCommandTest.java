package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.posthoc.Profile;
import io.github.ema4j.posthoc.Snapshots;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PostHocCommandTest {
  private static final Config GOLDEN =
      ConfigFactory.parseFile(Ema.golden("posthoc/posthoc.json").toFile());

  @TempDir private Path folder;

  static List<? extends Config> solutions() {
    return GOLDEN.getConfigList("solutions");
  }

  /** Snapshot i has 1 as its element i and 0 elsewhere, so that the average is the weights. */
  private Path snapshots() throws IOException {
    Path snapshots = folder.resolve("snapshots");
    List<Long> times = GOLDEN.getLongList("snapshot_t");
    List<Double> widths = GOLDEN.getDoubleList("snapshot_sigma_rel");
    try (Snapshots kept = Snapshots.inFolder(snapshots, EntryPolicy.defaults())) {
      for (int i = 0; i < times.size(); i++) {
        float[] unit = new float[times.size()];
        unit[i] = 1;
        StateDict<ArrayTensor> state =
            StateDict.builder(ArrayBackend.instance())
                .parameter("w", ArrayTensor.of(unit, unit.length))
                .counter("n", ArrayTensor.of(new long[] {times.get(i)}))
                .build();
        kept.add(state, Profile.ofSigmaRel(times.get(i), widths.get(i)));
      }
    }
    return snapshots;
  }

  @ParameterizedTest
  @MethodSource("solutions")
  void weightsAreThoseOfThePapersOwnCode(Config solution) throws IOException {
    long time = solution.getLong("target_t");
    double width = solution.getDouble("target_sigma_rel");
    Path out = folder.resolve("average.safetensors");

    Config json =
        Ema.done("posthoc", snapshots(), "--sigma-rel", width, "--at", time, "-o", out, "--json")
            .json();

    List<Double> golden = solution.getDoubleList("weights");
    double largest = golden.stream().mapToDouble(Math::abs).max().orElseThrow();
    double[] average = Values.of(out, "model").get("w");
    List<? extends Config> told = json.getConfigList("snapshots");
    // Snapshots of one time are told in the order of their widths, as the golden file has them.
    for (int i = 0; i < golden.size(); i++) {
      assertThat(told.get(i).getLong("time")).isEqualTo(GOLDEN.getLongList("snapshot_t").get(i));
      assertThat(told.get(i).getDouble("sigmaRel"))
          .isCloseTo(GOLDEN.getDoubleList("snapshot_sigma_rel").get(i), within(1e-12));
      double weight = told.get(i).getDouble("weight");
      assertThat(weight).as("weight %s", i).isCloseTo(golden.get(i), within(1e-13 * largest));
      assertThat(average[i]).as("element %s", i).isEqualTo((float) weight);
    }
    assertThat(json.getLong("time")).isEqualTo(time);
    assertThat(json.getDouble("misfit")).isBetween(0.0, 1.0);
    assertThat(Values.of(out, "model").get("n")[0]).isLessThanOrEqualTo((double) time);
  }

  @Test
  void theTimeIsThatOfTheLastSnapshotUnlessItIsSaid() throws IOException {
    Path out = folder.resolve("average.pth");
    String told = Ema.done("posthoc", snapshots(), "--sigma-rel=0.1", "-o", out).out();
    assertThat(told.lines())
        .containsExactly(
            out + ": 1 tensors averaged, 1 copied, 72 B", "at 8,000 from 16 snapshots, misfit 0.0");
    assertThat(Values.of(out, "model").get("w")[15]).isEqualTo(1);
  }

  @Test
  void whatCannotBeIsTold() throws IOException {
    Path out = folder.resolve("average.safetensors");
    Path snapshots = snapshots();
    assertRefused("sigmaRel must", "posthoc", snapshots, "--sigma-rel=0.9", "-o", out);
    assertRefused(
        "the target's time must be at most that of the last snapshot, 8000, but was 9000",
        "posthoc",
        snapshots,
        "--sigma-rel=0.1",
        "--at=9000",
        "-o",
        out);
    Path none = Files.createDirectory(folder.resolve("none"));
    assertRefused(
        none + ": there are no snapshots in it", "posthoc", none, "--sigma-rel=0.1", "-o", out);
    Path missing = folder.resolve("missing");
    assertRefused(
        missing + ": there is no such file", "posthoc", missing, "--sigma-rel=0.1", "-o", out);
    Path damaged = snapshots.resolve("snapshot-000000008000-gamma6.937203937601809.safetensors");
    try (var files = Files.list(snapshots)) {
      Path last = files.sorted().reduce((a, b) -> b).orElseThrow();
      byte[] bytes = Files.readAllBytes(last);
      bytes[bytes.length - 1] ^= 1;
      Files.write(last, bytes);
      damaged = last;
    }
    assertRefused(
        damaged + ": the file was damaged or changed",
        "posthoc",
        snapshots,
        "--sigma-rel=0.12",
        "-o",
        out);
    assertThat(out).doesNotExist();
  }

  private static void assertRefused(String message, Object... arguments) {
    Ema refused = Ema.run(arguments);
    assertThat(refused.err()).startsWith("ema: " + message);
    assertThat(refused.err().lines()).hasSize(1);
    assertThat(refused.exit()).isEqualTo(1);
  }
}
