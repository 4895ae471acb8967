package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import com.typesafe.config.Config;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.merge.MergeWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AverageCommandTest {
  private static final Path TIMM = Ema.golden("checkpoint/timm-checkpoint.pth.tar");

  @TempDir private Path folder;
  private Path out;

  @BeforeEach
  void nameTheOutput() {
    out = folder.resolve("out.safetensors");
  }

  /** The file that timm wrote, its average as safetensors, and a model in shards. */
  @ParameterizedTest
  @ValueSource(strings = {"--uniform", "--decay=0.7", "--weights=1,2.5,0.1"})
  void threeRealCheckpointsAreAveragedToTheBitsOfDecimalArithmetic(String option)
      throws IOException {
    long seed = new Random().nextLong();
    Path single = folder.resolve("b.safetensors");
    Path index;
    try (Checkpoint timm = Checkpoint.open(TIMM)) {
      TensorFile.write(single, timm.weights("ema"), Map.of());
      StateDict<ArrayTensor> other = Values.like(timm.weights("model"), new Random(seed));
      index = TensorFile.writeShards(folder.resolve("c"), other, Map.of(), 500);
    }
    double[] weights =
        switch (option) {
          case "--uniform" -> MergeWeights.uniform(3);
          case "--decay=0.7" -> MergeWeights.decayed(3, 0.7);
          default -> MergeWeights.normalized(1, 2.5, 0.1);
        };

    Ema.done("average", TIMM, single, index, option, "-o", out);

    List<Map<String, double[]>> inputs =
        List.of(Values.of(TIMM, "model"), Values.of(single, "model"), Values.of(index, "model"));
    assertAveraged(inputs, weights, "seed " + seed);
  }

  /** Beside every type and kind of file. */
  @ParameterizedTest
  @ValueSource(strings = {"out.safetensors", "out.safetensors.index.json", "out.pth", "out.bin"})
  void everyTypeIsRoundedOnceAndWrittenToEveryKindOfFile(String name) throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    List<Path> files = new ArrayList<>();
    List<Map<String, double[]>> inputs = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      Path file = folder.resolve("in-" + i + ".pt");
      PthWriter.of(PthLayout.STATE_DICT).model(Values.model(random)).write(file);
      files.add(file);
      inputs.add(Values.of(file, "model"));
    }
    out = folder.resolve(name);

    Ema.done("average", files.get(0), files.get(1), files.get(2), "-o", out, "--max-shard=20K");

    assertAveraged(inputs, MergeWeights.uniform(3), "seed " + seed);
    try (var written = Files.list(folder)) {
      assertThat(written.filter(file -> file.getFileName().toString().startsWith("out")).count())
          .isEqualTo(name.endsWith("json") ? 4 : 1);
    }
  }

  private void assertAveraged(List<Map<String, double[]>> inputs, double[] weights, String context)
      throws IOException {
    Map<String, double[]> actual = Values.of(out, "model");
    assertThat(actual.keySet()).containsExactlyElementsOf(inputs.get(0).keySet());
    try (Checkpoint written = Checkpoint.open(out)) {
      for (var entry : written.weights("model").entries()) {
        String name = entry.name();
        ElementType type = entry.spec().type();
        double[] values = actual.get(name);
        for (int i = 0; i < values.length; i++) {
          int element = i;
          double[] elements = inputs.stream().mapToDouble(in -> in.get(name)[element]).toArray();
          double expected =
              type.isFloating()
                  ? Values.average(type, weights, elements)
                  : elements[elements.length - 1];
          assertThat(values[i]).as("%s: %s, element %s", context, name, i).isEqualTo(expected);
        }
      }
    }
  }

  @Test
  void theResultIsTold() throws IOException {
    Path a = write("a.safetensors", 1, 2);
    Path b = write("b.safetensors", 3, 4);

    assertThat(Ema.done("average", a, b, "-o", out).out())
        .isEqualTo(out + ": 1 tensors averaged, 1 copied, 16 B" + System.lineSeparator());
    Config json = Ema.done("average", a, b, "--decay=0.75", "-o", out, "--json").json();
    assertThat(json.getString("output")).isEqualTo(out.toString());
    assertThat(json.getInt("averaged")).isEqualTo(1);
    assertThat(json.getInt("copied")).isEqualTo(1);
    assertThat(json.getInt("bytes")).isEqualTo(16);
    assertThat(json.getConfigList("inputs"))
        .extracting(input -> input.getString("file"), input -> input.getDouble("weight"))
        .containsExactly(tuple(a.toString(), 0.75), tuple(b.toString(), 0.25));
    assertThat(Values.of(out, "model").get("w")).containsExactly(1.5, 2.5);
  }

  private Path write(String name, float... values) throws IOException {
    Path file = folder.resolve(name);
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .parameter("w", ArrayTensor.of(values, values.length))
            .counter("n", ArrayTensor.of(new long[] {(long) values[0]}))
            .build();
    TensorFile.write(file, state, Map.of());
    return file;
  }

  @Test
  void theAverageInAFileIsTakenWhenItIsAskedFor() throws IOException {
    Ema.done("average", TIMM, "--of", "ema", "-o", out);
    assertThat(Values.of(out, "model").get("conv.bias"))
        .isEqualTo(Values.of(TIMM, "ema").get("conv.bias"))
        .isNotEqualTo(Values.of(TIMM, "model").get("conv.bias"));
    Path mmengine = Ema.golden("checkpoint/pth/mmengine.pth");
    Ema ambiguous = Ema.run("average", mmengine, "-o", out);
    assertThat(ambiguous.exit()).isEqualTo(1);
    assertThat(ambiguous.err()).startsWith("ema: " + mmengine + ": state_dict has the average if");
    Ema.done("average", mmengine, "--of=ema", "--layout=mmengine", "-o", out);
    Ema.done("average", mmengine, "--layout=ema_state_dict,state_dict", "-o", out);
    assertRefused(
        mmengine + ": it has no weights called ema.fast, but model, ema",
        "average",
        mmengine,
        "--layout=mmengine",
        "--of=ema.fast",
        "-o",
        out);
  }

  private void assertRefused(String message, Object... arguments) {
    Ema refused = Ema.run(arguments);
    assertThat(refused.err()).isEqualTo("ema: " + message + System.lineSeparator());
    assertThat(refused.exit()).isEqualTo(1);
    assertThat(refused.out()).isEmpty();
  }

  @Test
  void everyDifferenceBetweenFilesIsTold() throws IOException {
    Path a = write("a.safetensors", 1, 2);
    Path b = write("b.safetensors", 1, 2, 3);
    Path c = folder.resolve("c.safetensors");
    TensorFile.write(
        c,
        StateDict.builder(ArrayBackend.instance())
            .parameter("v", ArrayTensor.of(new float[2], 2))
            .counter("n", ArrayTensor.of(new long[1]))
            .build(),
        Map.of());

    assertRefused(
        """
        file A and file B differ:
          shape mismatch for 'w': file A has [2], file B has [3]
        file A and file C differ:
          'w' is only in the file A
          'v' is only in the file C"""
            .replace("A", a.toString())
            .replace("B", b.toString())
            .replace("C", c.toString()),
        "average",
        a,
        b,
        c,
        "-o",
        out);
    assertThat(out).doesNotExist();
  }

  @Test
  void whatCannotBeReadIsTold() throws IOException {
    Path a = write("a.safetensors", 1, 2);
    Path missing = folder.resolve("missing.pth");
    assertRefused(missing + ": there is no such file", "average", a, missing, "-o", out);
    assertRefused(folder + ": it is a folder; name a file in it", "average", folder, "-o", out);
    Path text = Files.writeString(folder.resolve("text.safetensors"), "hello, world");
    Ema refused = Ema.run("average", a, text, "-o", out);
    assertThat(refused.exit()).isEqualTo(1);
    assertThat(refused.err()).startsWith("ema: " + text + ": the header of a safetensors file has");
    assertRefused(
        folder.resolve("no/out.safetensors")
            + ": there is no folder "
            + folder.resolve("no")
            + "; create it first",
        "average",
        a,
        "-o",
        folder.resolve("no/out.safetensors"));
  }

  @Test
  void damageIsFoundUnlessNobodyWantsToKnow() throws IOException {
    Path a = write("a.safetensors", 1, 2);
    byte[] bytes = Files.readAllBytes(a);
    bytes[bytes.length - 1] ^= 1;
    Files.write(a, bytes);
    byte[] before = Files.readAllBytes(write("out.safetensors", 7));

    Ema refused = Ema.run("average", a, "-o", out);

    assertThat(refused.exit()).isEqualTo(1);
    assertThat(refused.err()).startsWith("ema: " + a + ": the file was damaged or changed");
    assertThat(out).hasBinaryContent(before);
    Ema.done("average", a, "--no-verify", "-o", out);
    assertThat(Values.of(out, "model").get("w")[0]).isEqualTo(1);
  }

  @Test
  void wrongCommandLinesAreTold() throws IOException {
    Path a = write("a.safetensors", 1, 2);
    assertUsage("Missing required option: '--output=OUT'", "average", a);
    assertUsage("Missing required parameter: 'FILE'", "average", "-o", out);
    assertUsage("--weights has 2 weights for 1 files", "average", a, "--weights=1,2", "-o", out);
    assertUsage("mutually exclusive", "average", a, "--weights=1", "--decay=0.5", "-o", out);
    assertUsage("'" + a + "' is read, too; write to another file", "average", a, "-o", a);
    assertUsage(
        "'x.npz' does not say what kind of file to write; let it end in .safetensors, ",
        "average",
        a,
        "-o",
        "x.npz");
    assertUsage("is no size such as 512M", "average", a, "--memory=lots", "-o", out);
    assertUsage("layout must be one of [timm", "average", a, "--layout=best", "-o", out);
    assertRefused("decay must be in [0, 1], but was 2.0", "average", a, "--decay=2", "-o", out);
    assertRefused(
        "weights must be finite and add up to more than 0, but were [0.0]",
        "average",
        a,
        "--weights=0",
        "-o",
        out);
    assertRefused(
        "an average takes at least 3145728 bytes of memory, but may have 1024",
        "average",
        a,
        "--memory=1K",
        "-o",
        out);
    assertThat(out).doesNotExist();
  }

  private static void assertUsage(String message, Object... arguments) {
    Ema refused = Ema.run(arguments);
    assertThat(refused.err())
        .startsWith("ema: ")
        .contains(message)
        .endsWith("Try 'ema average --help'." + System.lineSeparator());
    assertThat(refused.exit()).isEqualTo(2);
  }
}
