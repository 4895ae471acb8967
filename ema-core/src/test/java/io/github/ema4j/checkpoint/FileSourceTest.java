package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileSourceTest {
  private static final int LARGE = 100_000;

  @TempDir private Path folder;

  @Test
  void ofASafetensorsFileTheHeaderAloneIsRead() throws IOException {
    TensorFile.write(folder.resolve("one.safetensors"), model(), Map.of());
    FarFile far = FarFile.of(files(), "one.safetensors");

    try (TensorFile file = TensorFile.open(far)) {
      assertThat(file.tensors().keySet()).containsExactly("w", "n");
      assertThat(far.bytesRead()).isLessThan(1_000);
      assertReads(file.tensors().get("w"));
      FileTensor tensor = file.tensors().get("w");
      assertThat(tensor.source()).contains(far);
      assertReads(FileTensor.at(far, tensor.offset(), tensor.order(), tensor.spec()));
    }
    assertThat(far.open()).isZero();
  }

  @Test
  void anIndexOpensTheFilesBesideIt() throws IOException {
    TensorFile.writeShards(folder.resolve("m.safetensors"), model(), Map.of(), 8);
    FarFile far = FarFile.of(files(), "m.safetensors.index.json");

    try (Checkpoint checkpoint = Checkpoint.open(far)) {
      assertReads(checkpoint.model().orElseThrow().entries().get(0).tensor());
      checkpoint.verify();
    }
    assertThat(far.open()).isZero();
  }

  @Test
  void ofAPyTorchFileTheWeightsAreNotRead() throws IOException {
    PthWriter.of(PthLayout.PLAIN).model(model()).write(folder.resolve("m.pth"));
    FarFile far = FarFile.of(files(), "m.pth");

    try (Checkpoint checkpoint = Checkpoint.open(far)) {
      FileTensor tensor = checkpoint.model().orElseThrow().entries().get(0).tensor();
      assertThat(far.bytesRead()).isLessThan(5_000);
      assertReads(tensor);
      checkpoint.verify();
      assertThat(far.bytesRead()).isGreaterThan(4 * LARGE);
    }
    assertThat(far.open()).isZero();
  }

  @Test
  void tensorsElsewhereAreNotInMemory() throws IOException {
    TensorFile.write(folder.resolve("one.safetensors"), model(), Map.of());

    try (TensorFile file = TensorFile.open(FarFile.of(files(), "one.safetensors"))) {
      assertThatThrownBy(() -> file.tensors().get("w").memory())
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("one.safetensors is not a file of this machine: copy it here");
    }
  }

  @Test
  void whatIsRefusedIsClosed() throws IOException {
    byte[] cut = {1, 0, 0, 0, 0, 0, 0, 0, ' '};
    String index = "{\"weight_map\":{\"a\":\"cut\"}}";
    Map<String, byte[]> files =
        Map.of("cut", cut, "i.index.json", index.getBytes(StandardCharsets.UTF_8));

    for (String name : files.keySet()) {
      FarFile far = FarFile.of(files, name);
      assertThatThrownBy(() -> Checkpoint.open(far)).isInstanceOf(CheckpointException.class);
      assertThat(far.open()).isZero();
    }
  }

  @Test
  void aMissingShardIsToldAndTheOthersAreClosed() throws IOException {
    TensorFile.writeShards(folder.resolve("m.safetensors"), model(), Map.of(), 8);
    Map<String, byte[]> files = files();
    files.remove("m-00002-of-00002.safetensors");
    FarFile far = FarFile.of(files, "m.safetensors.index.json");

    assertThatThrownBy(() -> TensorFile.open(far))
        .isInstanceOf(FileNotFoundException.class)
        .hasMessage("m-00002-of-00002.safetensors");
    assertThat(far.open()).isZero();
  }

  @Test
  void aStoreThatFailsIsAnIoException() throws IOException {
    FileSource failing =
        new FileSource() {
          @Override
          public Path path() {
            return Path.of("failing");
          }

          @Override
          public long size() {
            return 100;
          }

          @Override
          public void read(long position, ByteBuffer into) throws IOException {
            throw new IOException("the store is down");
          }

          @Override
          public FileSource sibling(String name) {
            throw new AssertionError();
          }

          @Override
          public void close() {}
        };

    assertThatThrownBy(() -> TensorFile.open(failing)).isExactlyInstanceOf(IOException.class);
    assertThatThrownBy(() -> Checkpoint.open(failing)).isExactlyInstanceOf(IOException.class);
  }

  @Test
  void aTensorOutsideOfItsSourceIsNotMade() throws IOException {
    FarFile far = FarFile.of(Map.of("x", new byte[8]), "x");
    TensorSpec two = TensorSpec.contiguous(ElementType.F32, 2);

    assertThat(FileTensor.at(far, 0, ByteOrder.BIG_ENDIAN, two).order())
        .isEqualTo(ByteOrder.BIG_ENDIAN);
    assertThatThrownBy(() -> FileTensor.at(far, 1, ByteOrder.LITTLE_ENDIAN, two))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static void assertReads(FileTensor tensor) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    tensor.read(LARGE - 2, bytes);
    bytes.flip();
    assertThat(bytes.getFloat()).isEqualTo(LARGE - 2f);
    assertThat(bytes.getFloat()).isEqualTo(LARGE - 1f);
  }

  private static StateDict<ArrayTensor> model() {
    float[] weights = new float[LARGE];
    for (int i = 0; i < LARGE; i++) {
      weights[i] = i;
    }
    return StateDict.builder(ArrayBackend.instance())
        .parameter("w", ArrayTensor.of(weights, LARGE))
        .counter("n", ArrayTensor.of(new long[] {7}))
        .build();
  }

  private Map<String, byte[]> files() throws IOException {
    Map<String, byte[]> files = new HashMap<>();
    try (Stream<Path> all = Files.list(folder)) {
      for (Path path : (Iterable<Path>) all::iterator) {
        files.put(path.getFileName().toString(), Files.readAllBytes(path));
      }
    }
    return files;
  }
}
