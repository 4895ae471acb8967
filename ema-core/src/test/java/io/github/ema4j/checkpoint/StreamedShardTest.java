package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.StreamedShard.Item;
import io.github.ema4j.checkpoint.StreamedShard.Written;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StreamedShardTest {
  @TempDir private Path folder;

  private final StateDict<ArrayTensor> model =
      StateDict.builder(ArrayBackend.instance())
          .counter("n", ArrayTensor.of(new long[] {7}))
          .parameter("w", ArrayTensor.of(new float[] {1, 2, 3}, 3))
          .parameter("v", ArrayTensor.of(new double[] {4, 5}, 2))
          .build();

  @Test
  void shardsAndTheirIndexAreOneCheckpoint() throws IOException {
    Path index = write(Map.of("note", "x"));

    try (TensorFile file = TensorFile.open(index)) {
      assertThat(Golden.content(file.stateDict())).isEqualTo(Golden.content(model));
      assertThat(file.tensors().keySet()).containsExactly("n", "w", "v");
      assertThat(file.metadata()).containsOnly(Map.entry("format", "pt"), Map.entry("note", "x"));
      file.verify();
    }
    assertThat(ShardIndex.shards(index))
        .containsExactlyInAnyOrder(
            folder.resolve("0.safetensors"), folder.resolve("1.safetensors"));
  }

  @Test
  void theDigestOfTheIndexFindsDamage() throws IOException {
    Path index = write(Map.of());
    Path shard = folder.resolve("1.safetensors");
    byte[] bytes = Files.readAllBytes(shard);
    bytes[bytes.length - 1] ^= 1;
    Files.write(shard, bytes);

    try (TensorFile file = TensorFile.open(index)) {
      assertThatThrownBy(file::verify)
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("1.safetensors: the file was damaged or changed");
    }
  }

  @Test
  void aFileHasAsManyBytesAsItSays() throws IOException {
    StreamedShard shard = new StreamedShard(items(), Map.of());
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    shard.write(Channels.newChannel(bytes), this::content);

    assertThat(shard.bytes()).isEqualTo(bytes.size());
    assertThat(shard.items()).isEqualTo(items());
  }

  @Test
  void contentOfAnotherSizeIsRefused() {
    StreamedShard shard = new StreamedShard(items(), Map.of());

    assertThatThrownBy(
            () ->
                shard.write(
                    Channels.newChannel(new ByteArrayOutputStream()),
                    (item, out) -> out.write(ByteBuffer.allocate(8))))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("'v' has 16 bytes, but 8 were written");
  }

  @Test
  void whatCouldNotBeReadIsNotLaidOut() {
    List<Item> twice = List.of(items().get(0), items().get(0));

    assertThatThrownBy(() -> new StreamedShard(twice, Map.of()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("Duplicate field 'n'");
    assertThatThrownBy(() -> new StreamedShard(items(), Map.of("ema4j.sha256", "")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("'ema4j.sha256' is computed");
    assertThatThrownBy(
            () ->
                StreamedShard.index(
                    List.of(new Written(new StreamedShard(items(), Map.of()), "../x", ""))))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("is not the plain name of a file");
  }

  private Path write(Map<String, String> notes) throws IOException {
    List<StreamedShard> shards = StreamedShard.split(items(), notes, 20);
    List<Written> written = new ArrayList<>();
    for (StreamedShard shard : shards) {
      String file = written.size() + ".safetensors";
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      String digest = shard.write(Channels.newChannel(bytes), this::content);
      Files.write(folder.resolve(file), bytes.toByteArray());
      written.add(new Written(shard, file, digest));
    }
    Path index = folder.resolve("m.safetensors.index.json");
    Files.write(index, StreamedShard.index(written));
    return index;
  }

  private List<Item> items() {
    return model.entries().stream().map(entry -> new Item(entry.name(), entry.spec())).toList();
  }

  /** Takes the bytes from a file that has them. */
  private void content(Item item, WritableByteChannel out) throws IOException {
    Path whole = folder.resolve("whole");
    TensorFile.write(whole, model, Map.of());
    try (TensorFile file = TensorFile.open(whole)) {
      ByteBuffer bytes = ByteBuffer.allocate((int) item.bytes());
      file.tensors().get(item.name()).read(0, bytes);
      out.write(bytes.flip());
    }
  }
}
