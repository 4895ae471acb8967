package io.github.ema4j.checkpoint;

import static io.github.ema4j.checkpoint.SafetensorsBytes.file;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorFileTest {
  private static final byte[] TWO =
      file(
          "{\"ema.x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
              + "\"ema.n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[8,16]}}",
          new byte[] {0, 0, -128, 63, 0, 0, 0, 64, 5, 0, 0, 0, 0, 0, 0, 0});

  @TempDir private Path folder;

  @Test
  void anAverageIsLoadedFromAFile() throws IOException {
    Path path = SafetensorsBytes.write(folder.resolve("two.safetensors"), TWO);
    float[] x = {0, 0};
    long[] n = {0};
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("x", ArrayTensor.of(x, 2))
            .counter("n", ArrayTensor.of(n))
            .build();
    try (ModelEma<StateDict<ArrayTensor>> ema =
            ModelEma.builder(ArrayBackend.adapter())
                .strategy(EmaStrategy.nameMatched(0.9))
                .build(model);
        TensorFile file = TensorFile.open(path)) {
      ema.load(file.stateDict("ema."));
      ema.copyTo(model);
    }

    assertThat(x).containsExactly(1, 2);
    assertThat(n).containsExactly(5);
  }

  @Test
  void tensorsOfAClosedFileAreNotUsed() throws IOException {
    TensorFile file = TensorFile.open(SafetensorsBytes.write(folder.resolve("two"), TWO));
    StateDict<FileTensor> state = file.stateDict();
    FileTensor tensor = state.entries().get(0).tensor();
    file.close();

    assertThatThrownBy(() -> state.backend().memory(tensor))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("two is closed");
    assertThatThrownBy(() -> state.backend().storage(tensor))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> file.stateDict()).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void tensorsAreNotWritten() {
    try (TensorFile file = SafetensorsBytes.read(TWO)) {
      FileTensor tensor = file.tensors().get("ema.x");

      assertThat(tensor.memory().segmentAt(0).isReadOnly()).isTrue();
      assertThatThrownBy(() -> FileBackend.INSTANCE.allocate(List.of(tensor.spec())))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("only read");
    }
  }

  @Test
  void aPrefixThatNothingHasIsRefused() {
    try (TensorFile file = SafetensorsBytes.read(TWO)) {
      assertThatThrownBy(() -> file.stateDict("model."))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("no tensors whose names begin with 'model.'");
    }
  }

  @Test
  void aStateDictIsWrittenUnderItsOwnNames() throws IOException {
    Path path = folder.resolve("written.safetensors");
    Path index;
    try (TensorFile two = SafetensorsBytes.read(TWO)) {
      TensorFile.write(path, two.stateDict("ema."), Map.of());
      index = TensorFile.writeShards(folder.resolve("s.safetensors"), two.stateDict(), Map.of(), 8);
      assertThatThrownBy(() -> TensorFile.writeShards(path, two.stateDict(), Map.of(), 0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("a shard must have room, but has 0 bytes");
    }

    try (TensorFile file = TensorFile.open(path);
        TensorFile shards = TensorFile.open(index);
        TensorFile two = SafetensorsBytes.read(TWO)) {
      file.verify();
      assertThat(Golden.content(file.stateDict())).isEqualTo(Golden.content(two.stateDict("ema.")));
      assertThat(ShardIndex.shards(index)).hasSize(2);
      assertThat(Golden.content(shards.stateDict())).isEqualTo(Golden.content(two.stateDict()));
    }
  }

  @Test
  void aMissingFileIsAnIoException() {
    assertThatThrownBy(() -> TensorFile.open(folder.resolve("none")))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void aTensorOfMoreThanTwoGibibytesIsReadInSegments() throws IOException {
    long elements = 600_000_000;
    String header =
        String.format(
            "{\"x\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[0,%d]}}",
            elements, 4 * elements);
    Path path = folder.resolve("large");
    try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
      sparse.write(file(header));
      long data = sparse.getFilePointer();
      sparse.setLength(data + 4 * elements);
      for (long at : new long[] {0, 268_435_455, 268_435_456, 599_999_999}) {
        sparse.seek(data + 4 * at);
        sparse.writeInt(0x803f); // 1 in little-endian order
      }
    }

    try (TensorFile file = TensorFile.open(path)) {
      HostMemory memory = file.tensors().get("x").memory();
      assertThat(memory.elements()).isEqualTo(elements);
      for (long at : new long[] {0, 268_435_455, 268_435_456, 599_999_999}) {
        FloatBuffer floats = (FloatBuffer) memory.segmentAt(at);
        assertThat(floats.get(memory.indexAt(at))).isEqualTo(1f);
      }
    }
    Files.delete(path);
  }

  @Test
  void aTensorOutsideOfItsFileIsNotMade() {
    FileBytes bytes = FileBytes.of(Path.of("f"), StandardCharsets.UTF_8.encode("abc"));
    TensorSpec one = TensorSpec.contiguous(ElementType.F32, 1);

    assertThatThrownBy(() -> new FileTensor(bytes, 0, ByteOrder.LITTLE_ENDIAN, one))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(FileBytes.of(Path.of("f"), ByteBuffer.allocate(0)).size()).isZero();
  }
}
