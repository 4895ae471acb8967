package io.github.ema4j.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Compares averages with NumPy's, where the Python that the environment variable EMA4J_PYTHON
 * names, or {@code python3}, has it and the safetensors package.
 */
class AveragePythonTest {
  @TempDir private Path folder;

  private static Process python(List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(System.getenv().getOrDefault("EMA4J_PYTHON", "python3"));
    command.addAll(arguments);
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
  }

  private static boolean hasModules() throws InterruptedException {
    try {
      return python(List.of("-c", "import numpy, safetensors")).waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void averagesHaveTheBitsOfNumPys() throws Exception {
    assumeTrue(
        hasModules(),
        "no Python that has numpy and safetensors; name one by the environment variable"
            + " EMA4J_PYTHON");
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    Path a = folder.resolve("a.pth");
    PthWriter.of(PthLayout.STATE_DICT).model(withoutBfloat16(random)).write(a);
    Path b = folder.resolve("b.safetensors");
    TensorFile.write(b, withoutBfloat16(random), Map.of());
    Path c = TensorFile.writeShards(folder.resolve("c"), withoutBfloat16(random), Map.of(), 20_000);
    Path out = folder.resolve("out.safetensors");

    Ema.done("average", a, b, c, "--weights=1,2.5,0.7", "-o", out);

    Process process =
        python(
            List.of(
                Path.of("src", "test", "python", "average.py").toString(),
                "1,2.5,0.7",
                a.toString(),
                b.toString(),
                c.toString()));
    Map<String, String> expected = new TreeMap<>();
    new String(process.getInputStream().readAllBytes(), UTF_8)
        .lines()
        .map(line -> line.split("\t", -1))
        .forEach(parts -> expected.put(parts[0], parts[1]));
    assertThat(process.waitFor()).isZero();
    assertThat(hex(out)).as("seed %s", seed).hasSize(13).isEqualTo(expected);
  }

  /** NumPy has no such type. */
  private static StateDict<ArrayTensor> withoutBfloat16(Random random) {
    StateDict.Builder<ArrayTensor> state = StateDict.builder(ArrayBackend.instance());
    for (Entry<ArrayTensor> entry : Values.model(random).entries()) {
      if (entry.spec().type() != ElementType.BF16) {
        state.add(entry.name(), entry.tensor(), entry.role());
      }
    }
    return state.build();
  }

  private static Map<String, String> hex(Path file) throws IOException {
    Map<String, String> hex = new TreeMap<>();
    try (TensorFile tensors = TensorFile.open(file)) {
      tensors
          .tensors()
          .forEach(
              (name, tensor) -> {
                ByteBuffer bytes =
                    ByteBuffer.allocate(
                        (int) tensor.spec().elements() * tensor.spec().type().bytes());
                tensor.read(0, bytes);
                hex.put(name, HexFormat.of().formatHex(bytes.array()));
              });
    }
    return hex;
  }
}
