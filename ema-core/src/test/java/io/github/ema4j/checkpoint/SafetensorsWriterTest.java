package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.SeededTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsWriterTest {

  @TempDir private Path folder;

  @Test
  void whatIsWrittenIsReadBackInItsOrder() throws IOException {
    long seed = new Random().nextLong();
    StateDict<ArrayTensor> model = SeededTensors.ofAllTypes(new Random(seed));
    Path path = folder.resolve("all.safetensors");
    SafetensorsWriter writer = writer("", model);
    writer.note("zoë \"quoted\"\n", "\u2028 value");
    writer.write(path);

    try (TensorFile file = TensorFile.open(path)) {
      file.verify();
      assertThat(file.metadata())
          .containsEntry("format", "pt")
          .containsEntry("zoë \"quoted\"\n", "\u2028 value");
      SeededTensors.assertSameBits(file.stateDict(), model, "seed " + seed);
      file.tensors().values().forEach(SafetensorsWriterTest::assertAligned);
    }
  }

  private static void assertAligned(FileTensor tensor) {
    assertThat(tensor.storage().begin() % tensor.spec().type().bytes()).isZero();
  }

  @Test
  void columnMajorTensorsAreWrittenRowByRow() throws IOException {
    float[] columns = {1, 4, 2, 5, 3, 6};
    ArrayTensor tensor =
        ArrayTensor.view(ElementType.F32, columns, 0, new long[] {2, 3}, new long[] {1, 2});
    Path path = folder.resolve("rows.safetensors");
    writer("", dict("x", tensor)).write(path);

    byte[] bytes = Files.readAllBytes(path);
    ByteBuffer data = ByteBuffer.wrap(bytes, bytes.length - 24, 24);
    float[] rows = new float[6];
    data.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(rows);
    assertThat(rows).containsExactly(1, 2, 3, 4, 5, 6);
  }

  /** One byte less than a piece, a piece, and what takes several. */
  @ParameterizedTest
  @ValueSource(ints = {1 << 10, (16 << 20) - 1, 16 << 20, (16 << 20) + 1, 50_000_000})
  void theDigestIsThatOfItsPiecesWithZerosInItsPlace(int fileBytes) throws Exception {
    Path path = folder.resolve("x.safetensors");
    byte[] values = new byte[fileBytes - 192]; // less the header
    new Random(fileBytes).nextBytes(values);
    writer("", dict("x", ArrayTensor.of(ElementType.U8, values, values.length))).write(path);
    String written;
    try (TensorFile file = TensorFile.open(path)) {
      file.verify();
      written = file.metadata().get("ema4j.sha256");
    }

    assertThat(Files.size(path)).isEqualTo(fileBytes);
    String text = Files.readString(path, StandardCharsets.ISO_8859_1);
    byte[] blank = text.replace(written, "0".repeat(64)).getBytes(StandardCharsets.ISO_8859_1);
    MessageDigest whole = MessageDigest.getInstance("SHA-256");
    for (int at = 0; at < blank.length; at += 16 << 20) {
      MessageDigest piece = MessageDigest.getInstance("SHA-256");
      piece.update(blank, at, Math.min(16 << 20, blank.length - at));
      whole.update(piece.digest());
    }
    assertThat(HexFormat.of().formatHex(whole.digest())).isEqualTo(written);
  }

  @Test
  void anyChangedByteIsFound() throws IOException {
    Path path = folder.resolve("x.safetensors");
    writer("", dict("x", ArrayTensor.of(new float[] {1, 2}, 2))).write(path);
    byte[] bytes = Files.readAllBytes(path);

    for (int i = 0; i < bytes.length; i++) {
      byte[] changed = bytes.clone();
      changed[i] ^= (byte) (1 << i % 8);
      assertThatThrownBy(() -> verify(changed))
          .as("byte %d of %d", i, bytes.length)
          .isInstanceOf(CheckpointException.class);
    }
    verify(bytes);
  }

  private static void verify(byte[] bytes) {
    try (TensorFile file = SafetensorsBytes.read(bytes)) {
      assertThat(file.metadata()).containsKey("ema4j.sha256"); // else nothing is promised
      file.verify();
    } catch (AssertionError e) {
      throw new CheckpointException(Path.of("x"), null, "the field itself has gone", e);
    }
  }

  @Test
  void aHeaderThatAnotherProgramWroteAnewIsToldFromOurs() throws IOException {
    String field = "{\"__metadata__\":{\"ema4j.sha256\": \"" + "0".repeat(64) + "\"}}";

    try (TensorFile file = SafetensorsBytes.read(SafetensorsBytes.file(field))) {
      assertThatThrownBy(file::verify)
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("another program has written the header anew");
    }
  }

  @Test
  void aNameIsThereOnce() {
    StateDict<ArrayTensor> one = dict("x", ArrayTensor.of(new float[1], 1));
    SafetensorsWriter writer = writer("", one);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> writer.add("", one, "model"))
        .withMessage("the name 'x' is taken; a file has each name once");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> writer("__meta", dict("data__", ArrayTensor.of(new float[1], 1))))
        .withMessageContaining("'__metadata__' is taken");
  }

  @Test
  void whatCouldNotBeReadIsNotWritten() throws IOException {
    String name = "x".repeat(65_537);

    assertThatThrownBy(
            () ->
                writer("", dict(name, ArrayTensor.of(new float[1], 1)))
                    .write(folder.resolve("x.safetensors")))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("65537")
        .hasMessageContaining("65536");
    assertThat(names()).isEmpty();
  }

  @Test
  void aMissingFolderIsTold() {
    Path path = folder.resolve("none").resolve("x.safetensors");

    assertThatThrownBy(() -> writer("", dict("x", ArrayTensor.of(new float[1], 1))).write(path))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("there is no folder")
        .hasMessageContaining("create it first");
  }

  @Test
  void aTensorThatIsGoneLeavesTheFileBefore() throws IOException {
    Path path = folder.resolve("x.safetensors");
    ArrayTensor tensor = ArrayTensor.of(new float[] {1, 2}, 2);
    writer("", dict("x", tensor)).write(path);
    byte[] before = Files.readAllBytes(path);
    SafetensorsWriter writer = writer("", dict("x", tensor));
    ArrayBackend.instance().release(List.of(tensor));

    assertThatThrownBy(() -> writer.write(path))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("'x' of the model");

    assertThat(Files.readAllBytes(path)).isEqualTo(before);
    assertThat(names()).containsExactly("x.safetensors");
  }

  @Test
  void shardsAreReadAsOne() throws IOException {
    StateDict<ArrayTensor> model = SeededTensors.ofAllTypes(new Random(1));
    SafetensorsWriter writer = writer("", model);
    writer.note("ema4j.x", "1");

    Path index = writer.writeShards(folder.resolve("all.safetensors"), 30_000);

    assertThat(index).isEqualTo(folder.resolve("all.safetensors.index.json"));
    assertThat(names()).contains("all-00001-of-00007.safetensors").hasSize(8);
    for (Path shard : ShardIndex.shards(index)) {
      assertThat(Files.size(shard)).isLessThan(35_000);
    }
    try (TensorFile file = TensorFile.open(index)) {
      file.verify();
      assertThat(file.metadata()).containsEntry("ema4j.x", "1");
      SeededTensors.assertSameBits(file.stateDict(), model, "shards");
    }
  }

  @Test
  void newShardsReplaceTheOldOnesWhenTheyAreComplete() throws IOException {
    Path target = folder.resolve("x.safetensors");
    float[] values = {1, 2};
    SafetensorsWriter writer = new SafetensorsWriter();
    writer.add("a.", dict("x", ArrayTensor.of(values, 2)), "model");
    writer.add("b.", dict("x", ArrayTensor.of(values, 2)), "model");
    writer.writeShards(target, 8);
    try (TensorFile before = TensorFile.open(folder.resolve("x.safetensors.index.json"))) {
      values[0] = 7;
      Path index = writer.writeShards(target, 8);

      assertThat(names())
          .containsExactlyInAnyOrder(
              "x.1-00001-of-00002.safetensors",
              "x.1-00002-of-00002.safetensors",
              "x.safetensors.index.json");
      before.verify(); // what is open stays what it was
      try (TensorFile after = TensorFile.open(index)) {
        after.verify();
      }
    }
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  private static SafetensorsWriter writer(String prefix, StateDict<ArrayTensor> state) {
    SafetensorsWriter writer = new SafetensorsWriter();
    writer.add(prefix, state, "model");
    return writer;
  }

  private static StateDict<ArrayTensor> dict(String name, ArrayTensor tensor) {
    return StateDict.builder(ArrayBackend.instance()).parameter(name, tensor).build();
  }
}
