package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Averages 20 GB of checkpoints in a heap of 512 MB, beside a plain copy of as many bytes. */
@Tag("full")
class RunnableJarLargeTest {
  private static final int TENSORS = 40;
  private static final int ELEMENTS = 64 << 20;
  private static final int PIECE = 1 << 20;

  @TempDir private Path folder;

  private static float[] values(long seed) {
    Random random = new Random(seed);
    float[] values = new float[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++) {
      values[i] = random.nextFloat() - 0.5f;
    }
    return values;
  }

  /** Writes a checkpoint of 10.7 GB, all of its tensors with the same values. */
  private Path write(String name, float[] values) throws IOException {
    StateDict.Builder<ArrayTensor> state = StateDict.builder(ArrayBackend.instance());
    ArrayTensor tensor = ArrayTensor.of(values, ELEMENTS);
    for (int i = 0; i < TENSORS; i++) {
      state.parameter("layer." + i, tensor);
    }
    Path file = folder.resolve(name);
    TensorFile.write(file, state.build(), Map.of());
    return file;
  }

  @Test
  void twentyGigabytesAreAveragedInAHeapOfHalfAGigabyte() throws Exception {
    Jar jar = Jar.built(folder).withOptions("-Xmx512m");
    float[] first = values(1);
    float[] second = values(2);
    Path a = write("a.safetensors", first);
    Path b = write("b.safetensors", second);
    Path out = folder.resolve("out.safetensors");
    long bytes = Files.size(a) + Files.size(b) + Files.size(a);

    double unverified =
        seconds(() -> assertDone(jar.run("average", a, b, "--no-verify", "-o", out)));
    Files.delete(out);
    double copying = seconds(() -> copy(List.of(a, b), folder.resolve("copy")));
    Files.delete(folder.resolve("copy"));
    double verified = seconds(() -> assertDone(jar.run("average", a, b, "-o", out)));

    System.out.printf(
        Locale.ROOT,
        "%.1f GB read and written: average %.0f MB/s, with digests compared %.0f MB/s,"
            + " plain channels %.0f MB/s%n",
        bytes / 1e9,
        bytes / 1e6 / unverified,
        bytes / 1e6 / verified,
        bytes / 1e6 / copying);
    assertAveraged(out, first, second);
  }

  private static void assertDone(Ema result) {
    assertThat(result.err()).isEmpty();
    assertThat(result.exit()).isZero();
  }

  private interface Work {
    void run() throws Exception;
  }

  private static double seconds(Work work) throws Exception {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) / 1e9;
  }

  /** Reads all files side by side, and writes the first of them durably. */
  private static void copy(List<Path> inputs, Path output) throws IOException {
    ByteBuffer piece = ByteBuffer.allocateDirect(PIECE);
    try (FileChannel first = FileChannel.open(inputs.get(0));
        FileChannel second = FileChannel.open(inputs.get(1));
        FileChannel out =
            FileChannel.open(output, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      while (second.read(piece.clear()) >= 0) {
        first.read(piece.clear());
        piece.flip();
        while (piece.hasRemaining()) {
          out.write(piece);
        }
      }
      out.force(true);
    }
  }

  private static void assertAveraged(Path out, float[] first, float[] second) throws IOException {
    try (TensorFile file = TensorFile.open(out)) {
      assertThat(file.tensors()).hasSize(TENSORS);
      ByteBuffer piece = ByteBuffer.allocateDirect(PIECE).order(ByteOrder.LITTLE_ENDIAN);
      for (FileTensor tensor : file.tensors().values()) {
        for (int at = 0; at < ELEMENTS; at += PIECE / Float.BYTES) {
          tensor.read(at, piece.clear());
          for (int i = 0; i < PIECE / Float.BYTES; i++) {
            float expected = (float) (0.5 * first[at + i] + 0.5 * second[at + i]);
            if (piece.getFloat(i * Float.BYTES) != expected) {
              assertThat(piece.getFloat(i * Float.BYTES)).isEqualTo(expected);
            }
          }
        }
      }
    }
  }
}
