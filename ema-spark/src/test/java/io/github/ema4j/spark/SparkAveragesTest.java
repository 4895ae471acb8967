package io.github.ema4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.ElementType;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.merge.MergeWeights;
import io.github.ema4j.posthoc.Profile;
import io.github.ema4j.posthoc.Snapshots;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SparkAveragesTest {
  private static final int ELEMENTS = 40_000;
  private static final double[] WEIGHTS = MergeWeights.decayed(3, 0.9);
  private static JavaSparkContext spark;

  @TempDir private Path folder;
  private Path output;

  @BeforeAll
  static void start() {
    SparkConf conf =
        new SparkConf()
            .setMaster("local[2,3]") // three attempts at each task
            .setAppName("test")
            .set("spark.ui.enabled", "false")
            .set("spark.driver.bindAddress", "127.0.0.1")
            .set("spark.driver.host", "127.0.0.1");
    spark = new JavaSparkContext(conf);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @BeforeEach
  void createOutput() throws IOException {
    output = Files.createDirectory(folder.resolve("output"));
    FaultyFileSystem.register(
        spark.hadoopConfiguration(), Files.createDirectory(folder.resolve("marks")));
    spark.hadoopConfiguration().unset(FaultyFileSystem.FAILURES);
  }

  @Test
  void anAverageHasTheBitsOfOneMachine() throws IOException {
    List<String> files = Checkpoints.write(folder, 1, ELEMENTS);

    Path index = average(plan(files, output.toString()));
    String one = averageOf(files, output.resolve("one.safetensors").toString());

    assertThat(Checkpoints.content(Path.of(URI.create(one))))
        .isEqualTo(
            Checkpoints.content(
                Checkpoints.average(
                    files, MergeWeights.uniform(3), folder.resolve("one-machine.safetensors"))));
    assertThat(index).isEqualTo(output.resolve("average.safetensors.index.json"));
    assertThat(Checkpoints.content(index)).isEqualTo(Checkpoints.content(expected(files)));
    assertThat(Checkpoints.names(output))
        .hasSize(5 + 1 + 2)
        .allMatch(name -> !name.endsWith(".crc"));
  }

  private static String averageOf(List<String> files, String output) throws IOException {
    // tag::spark[]
    SparkPlan plan = SparkPlan.average(files, MergeWeights.uniform(files.size()), output);
    String index = SparkAverages.average(spark, plan);
    // end::spark[]
    return index;
  }

  @Test
  void aPostHocAverageHasTheBitsOfOneMachine() throws IOException {
    Path snapshots = folder.resolve("snapshots");
    try (Snapshots all = Snapshots.inFolder(snapshots, EntryPolicy.defaults())) {
      for (long time = 1; time <= 4; time++) {
        for (double width : new double[] {0.05, 0.1}) {
          all.add(model(time + width), Profile.ofSigmaRel(100 * time, width));
        }
      }
      all.reconstruct(Profile.ofSigmaRel(400, 0.08), folder.resolve("last.safetensors"));
      all.reconstruct(Profile.ofSigmaRel(250, 0.15), folder.resolve("early.safetensors"));
    }

    Path last = average(postHoc(snapshots, 0.08, OptionalLong.empty()));
    assertThat(Checkpoints.content(last))
        .isEqualTo(Checkpoints.content(folder.resolve("last.safetensors")));
    Path early = average(postHoc(snapshots, 0.15, OptionalLong.of(250)));
    assertThat(Checkpoints.content(early))
        .isEqualTo(Checkpoints.content(folder.resolve("early.safetensors")));
  }

  @Test
  void anAttemptThatFailsIsRepeatedAndLeavesNothing() throws IOException {
    List<String> files = Checkpoints.write(folder, 2, ELEMENTS);
    spark.hadoopConfiguration().setInt(FaultyFileSystem.FAILURES, 2);

    average(plan(files, "faulty:" + output));

    Path index = output.resolve("average.safetensors.index.json");
    assertThat(folder.resolve("marks").resolve(FaultyFileSystem.FAILURES + 1)).exists();
    assertThat(Checkpoints.content(index)).isEqualTo(Checkpoints.content(expected(files)));
    assertThat(Checkpoints.names(output)).hasSize(5 + 1);
  }

  @Test
  void aJobThatFailsLeavesWhatWasThere() throws IOException {
    List<String> files = Checkpoints.write(folder, 3, ELEMENTS);
    average(plan(files, "faulty:" + output));
    List<String> before = Checkpoints.names(output);
    spark.hadoopConfiguration().setInt(FaultyFileSystem.FAILURES, 3);

    assertThatThrownBy(() -> average(plan(files, "faulty:" + output)))
        .isInstanceOf(SparkException.class)
        .hasMessageContaining("the disk is full");
    awaitNames(before);
    Path index = output.resolve("average.safetensors.index.json");
    assertThat(Checkpoints.content(index)).isEqualTo(Checkpoints.content(expected(files)));
  }

  @Test
  void aNewResultTakesThePlaceOfTheOld() throws IOException {
    List<String> files = Checkpoints.write(folder, 4, ELEMENTS);
    average(plan(files, output.toString()));
    List<String> before = Checkpoints.names(output);
    Files.createFile(output.resolve("average-of-others.safetensors"));

    Path index =
        average(SparkPlan.average(files, new double[] {1, 0, 0}, output + "/average.safetensors"));

    assertThat(Checkpoints.names(output)).hasSize(1 + 1 + 1).doesNotContain(before.get(0));
    Path expected = Checkpoints.average(files, new double[] {1, 0, 0}, folder.resolve("expected"));
    assertThat(Checkpoints.content(index)).isEqualTo(Checkpoints.content(expected));
  }

  @Test
  void theProgramTakesTheOptionsOfEma() throws IOException {
    List<String> files = Checkpoints.write(folder, 6, ELEMENTS);
    String result = output + "/average.safetensors";
    String[] average = {"average", files.get(0), files.get(1), files.get(2), "-o", result};

    assertThat(EmaSpark.runHere(with(average, "--decay", "0.9", "--max-shard", "64k"))).isZero();
    Path index = output.resolve("average.safetensors.index.json");
    assertThat(Checkpoints.content(index)).isEqualTo(Checkpoints.content(expected(files)));

    assertThat(EmaSpark.runHere(with(average, "--weights", "1,3,4", "--of", "model"))).isZero();
    double[] weights = {0.125, 0.375, 0.5};
    assertThat(Checkpoints.content(index))
        .isEqualTo(
            Checkpoints.content(Checkpoints.average(files, weights, folder.resolve("weighted"))));

    assertThat(EmaSpark.runHere(with(average, "--of", "ema"))).isEqualTo(1);
    assertThat(EmaSpark.runHere(with(average, "--decay", "0.9", "--uniform"))).isEqualTo(1);
    assertThat(EmaSpark.runHere("average", "-o", result)).isEqualTo(2);
    assertThat(EmaSpark.runHere("posthoc", folder.toString(), "--sigma-rel", "0.1", "-o", result))
        .isEqualTo(1);
  }

  private static String[] with(String[] arguments, String... more) {
    return Stream.concat(Stream.of(arguments), Stream.of(more)).toArray(String[]::new);
  }

  @Test
  void whatDoesNotFitTogetherIsTold() throws IOException {
    List<String> files = Checkpoints.write(folder, 5, ELEMENTS);
    Path other = folder.resolve("other.safetensors");
    TensorFile.write(other, model(1), Map.of());

    assertThatThrownBy(
            () -> average(plan(List.of(files.get(0), files.get(1), other.toString()), "x")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("halves");
    assertThatThrownBy(() -> average(plan(List.of(files.get(0), files.get(1), "none"), "x")))
        .isInstanceOf(FileNotFoundException.class)
        .hasMessageContaining("none");
    assertThatThrownBy(
            () -> average(SparkPlan.average(files, WEIGHTS, output + "/an average.safetensors")))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("is not the plain name of a file");
    assertThat(Checkpoints.names(output)).isEmpty();
    assertThatThrownBy(() -> plan(files.subList(0, 2), "x"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("there must be one weight for each file, but there are 3 for 2 files");
    assertThatThrownBy(() -> average(postHoc(output, 0.1, OptionalLong.empty())))
        .isInstanceOf(FileNotFoundException.class)
        .hasMessageContaining("has no snapshots");
  }

  /** PyTorch writes such for what was transposed. */
  @Test
  void tensorsThatDoNotLieInOrderAreRefused() throws IOException {
    Path transposed =
        Path.of("../ema-core/src/test/resources/io/github/ema4j/checkpoint/strided.pth");

    assertThatThrownBy(
            () ->
                average(
                    SparkPlan.average(
                        List.of(transposed.toString()), new double[] {1}, output + "/x")))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("ema convert");
  }

  /** Waits for attempts that are being ended, which delete their files themselves. */
  private void awaitNames(List<String> expected) throws IOException {
    for (int i = 0; i < 100 && !Checkpoints.names(output).equals(expected); i++) {
      LockSupport.parkNanos(100_000_000);
    }
    assertThat(Checkpoints.names(output)).isEqualTo(expected);
  }

  private static Path average(SparkPlan plan) throws IOException {
    return Path.of(
        new org.apache.hadoop.fs.Path(SparkAverages.average(spark, plan)).toUri().getPath());
  }

  /** So small that there are five files and many ranges. */
  private static SparkPlan plan(List<String> files, String folder) {
    return SparkPlan.average(files, WEIGHTS, folder + "/average.safetensors")
        .withMaxShardBytes(4 * ELEMENTS)
        .withTaskBytes(1);
  }

  private SparkPlan postHoc(Path snapshots, double width, OptionalLong time) {
    return SparkPlan.postHoc(snapshots.toString(), width, time, output + "/posthoc")
        .withMaxShardBytes(1);
  }

  private Path expected(List<String> files) throws IOException {
    return Checkpoints.average(files, WEIGHTS, folder.resolve("expected.safetensors"));
  }

  private static StateDict<ArrayTensor> model(double seed) {
    Random random = new Random(Double.hashCode(seed));
    float[] values = new float[30_000];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextFloat();
    }
    return StateDict.builder(ArrayBackend.instance())
        .parameter("w", ArrayTensor.of(values, 100, 300))
        .parameter("tied", ArrayTensor.of(values, 100, 300))
        .counter("n", ArrayTensor.of(ElementType.I64, new long[] {random.nextInt(9)}))
        .build();
  }
}
