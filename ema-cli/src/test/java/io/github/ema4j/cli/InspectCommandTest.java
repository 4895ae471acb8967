package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import io.github.ema4j.ElementType;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.StreamedShard;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectCommandTest {
  @TempDir private Path folder;

  private static StateDict<ArrayTensor> state() {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("layer.weight", ArrayTensor.of(new float[600], 20, 30))
        .counter("n", ArrayTensor.of(new long[1]))
        .build();
  }

  @Test
  void aFileIsShownAsATable() throws IOException {
    Path file = folder.resolve("model.safetensors");
    TensorFile.write(file, state(), Map.of("epoch", "3", "escape", "\u001b[31mred"));

    List<String> lines = Ema.done("inspect", file).out().lines().toList();

    assertThat(lines)
        .hasSize(9)
        .startsWith(
            file + ": safetensors, " + Sizes.text(Files.size(file)) + ", checksum: ok", "metadata")
        .endsWith(
            "  escape        ?[31mred",
            "  format        pt",
            "model: 2 tensors, 601 elements, 2.4 kB",
            "  layer.weight  F32  [20, 30]  2.4 kB",
            "  n             I64  []           8 B");
    assertThat(lines.get(3)).isEqualTo("  epoch         3");
  }

  @Test
  void aCheckpointIsToldAsJson() throws IOException {
    Path file = folder.resolve("checkpoint.safetensors");
    StateDict<ArrayTensor> model = state();
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).build(model)) {
      ema.update(model);
      ema.save(file);
    }

    Config json = Ema.done("inspect", file, "--json").json();

    assertThat(json.getString("format")).isEqualTo("safetensors");
    assertThat(json.getString("checksum")).isEqualTo("ok");
    assertThat(json.getLong("bytes")).isEqualTo(Files.size(file));
    assertThat(json.getConfig("metadata").root().get("ema4j.format").unwrapped()).isEqualTo("1");
    assertThat(json.getConfig("averages").getLong("ema.updates")).isEqualTo(1);
    assertThat(json.getConfig("weights").root().keySet()).containsExactlyInAnyOrder("model", "ema");
    Config tensor = json.getConfigList("weights.ema").get(0);
    assertThat(tensor.getString("name")).isEqualTo("layer.weight");
    assertThat(tensor.getString("type")).isEqualTo("F32");
    assertThat(tensor.getLongList("shape")).containsExactly(20L, 30L);
    assertThat(tensor.getLong("bytes")).isEqualTo(2400);
  }

  @Test
  void everyKindOfFileIsKnown() throws IOException {
    Path index = TensorFile.writeShards(folder.resolve("model"), state(), Map.of(), 100);
    assertThat(Ema.done("inspect", index).out())
        .startsWith(index + ": safetensors in shards, ")
        .contains("checksum: ok")
        .contains("model: 2 tensors");
    Path zip = Ema.golden("checkpoint/timm-checkpoint.pth.tar");
    assertThat(Ema.done("inspect", zip).out())
        .contains(": PyTorch, 17.2 kB, checksum: ok")
        .contains("model: 12 tensors")
        .contains("ema: 12 tensors");
    assertThat(Ema.done("inspect", zip, "--no-verify").out()).contains("checksum: not compared");
    Path legacy = Ema.golden("checkpoint/timm-checkpoint-legacy.pth.tar");
    assertThat(Ema.done("inspect", legacy).out())
        .contains(": PyTorch before 1.6, 9.7 kB, checksum: none");
  }

  /** As Spark writes them: what tells damage by is in the index. */
  @Test
  void theDigestsOfAnIndexAreCompared() throws IOException {
    StreamedShard shard =
        new StreamedShard(
            List.of(new StreamedShard.Item("w", TensorSpec.contiguous(ElementType.F32, 2))),
            Map.of());
    String digest;
    try (FileChannel out =
        FileChannel.open(
            folder.resolve("0.safetensors"),
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE)) {
      digest = shard.write(out, (item, to) -> to.write(ByteBuffer.allocate(8)));
    }
    Path index = folder.resolve("model.safetensors.index.json");
    Files.write(
        index,
        StreamedShard.index(List.of(new StreamedShard.Written(shard, "0.safetensors", digest))));

    assertThat(Ema.done("inspect", index).out()).contains("checksum: ok");
  }

  @Test
  void damageIsTold() throws IOException {
    Path file = folder.resolve("model.safetensors");
    TensorFile.write(file, state(), Map.of());
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);

    Ema refused = Ema.run("inspect", file);

    assertThat(refused.exit()).isEqualTo(1);
    assertThat(refused.out()).isEmpty();
    assertThat(refused.err()).startsWith("ema: " + file + ": the file was damaged or changed");
  }
}
