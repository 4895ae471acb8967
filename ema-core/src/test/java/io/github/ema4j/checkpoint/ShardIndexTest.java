package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShardIndexTest {
  private static final Path INDEX = Path.of("x.safetensors.index.json");

  @TempDir private Path folder;

  @Test
  void namesAndFilesAreReadInOrder() {
    assertThat(parse("{'metadata':{'total_size':[1,{}]},'weight_map':{'b':'f2','a':'f1'}}"))
        .containsExactly(Map.entry("b", "f2"), Map.entry("a", "f1"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../x",
        "a/b",
        "/etc/passwd",
        "..",
        ".hidden",
        "a\\\\b",
        "C:x",
        "",
        " ",
        "a\\u0000",
        "a\\n"
      })
  void filesElsewhereAreNotOpened(String file) {
    assertRefused("{'weight_map':{'a':'" + file + "'}}", "is not the plain name of a file");
  }

  @Test
  void whatIsMalformedIsRefused() {
    assertRefused("{}", "names no tensors");
    assertRefused("{'weight_map':{}}", "names no tensors");
    assertRefused("{'weight_map':[]}", "expected '{'");
    assertRefused("{'weight_map':{'a':1}}", "'a': expected a string");
    assertRefused("{'weight_map':{'a':'x','a':'y'}}", "Duplicate field 'a'");
    assertRefused("{'weight_map':{'a':'x'}} x", "malformed JSON");
    assertRefused("{'x':[[[[[1]]]]],'weight_map':{'a':'x'}}", "nesting depth");
    assertRefused("", "expected '{'");
  }

  @Test
  void whatBelongsNotTogetherIsRefused() throws IOException {
    write("one.safetensors", "1", "a");
    write("two.safetensors", "2", "b");
    Path index = folder.resolve("i.safetensors.index.json");

    assertOpenFails(index, "{'weight_map':{'a':'one.safetensors','b':'two.safetensors'}}")
        .hasMessageContaining("one.safetensors and two.safetensors were not written together");
    assertOpenFails(index, "{'weight_map':{'a':'one.safetensors','b':'none.safetensors'}}")
        .hasMessageContaining("none.safetensors that it names is missing");
    assertOpenFails(index, "{'weight_map':{'b':'one.safetensors'}}")
        .hasMessageContaining("'b': the file one.safetensors does not have it");
    write("both.safetensors", "1", "a", "b");
    assertOpenFails(index, "{'weight_map':{'a':'both.safetensors'}}")
        .hasMessageContaining("'b': it is in both.safetensors, but the index does not say so");
  }

  @Test
  void damageInAnyOfTheFilesIsFound() throws IOException {
    write("one.safetensors", "1", "a");
    write("two.safetensors", "1", "b");
    Path index = folder.resolve("i.safetensors.index.json");
    Files.writeString(
        index, "{'weight_map':{'a':'one.safetensors','b':'two.safetensors'}}".replace('\'', '"'));
    try (TensorFile file = TensorFile.open(index)) {
      file.verify();
    }
    for (String name : List.of("one", "two")) {
      Path shard = folder.resolve(name + ".safetensors");
      byte[] sound = Files.readAllBytes(shard);
      byte[] damaged = sound.clone();
      damaged[damaged.length - 1] ^= 1;
      Files.write(shard, damaged);
      try (TensorFile file = TensorFile.open(index)) {
        assertThatThrownBy(file::verify)
            .isInstanceOf(CheckpointException.class)
            .hasMessageContaining(name + ".safetensors: the file was damaged or changed");
      }
      Files.write(shard, sound);
    }
  }

  @Test
  void filesAreClosedWithTheIndexAndIfItIsRefused() throws IOException {
    Map<String, TensorFile> opened = new HashMap<>();
    ImmutableMap<String, String> places = ImmutableMap.of("a", "a", "b", "b");
    ShardIndex.Opener opener =
        name -> {
          opened.put(name, shard(name));
          return opened.get(name);
        };

    TensorFile file = ShardIndex.open(INDEX, places, opener);
    assertThat(opened.get("b").stateDict().entries()).hasSize(1);
    file.close();
    assertClosed(opened.get("a"));
    assertClosed(opened.get("b"));

    assertThatThrownBy(
            () ->
                ShardIndex.open(
                    INDEX,
                    places,
                    name -> {
                      if (name.equals("b")) {
                        throw new IOException("gone");
                      }
                      return opener.open(name);
                    }))
        .hasMessage("gone");
    assertClosed(opened.get("a"));
  }

  private static TensorFile shard(String tensor) {
    String header = "{'" + tensor + "':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}";
    return SafetensorsBytes.read(SafetensorsBytes.file(header.replace('\'', '"'), (byte) 1));
  }

  private static void assertClosed(TensorFile file) {
    assertThatThrownBy(file::stateDict).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void anIndexHasALimit() throws IOException {
    Path index = folder.resolve("large.safetensors.index.json");
    try (RandomAccessFile sparse = new RandomAccessFile(index.toFile(), "rw")) {
      sparse.setLength(100_000_001);
    }

    assertThatThrownBy(() -> TensorFile.open(index))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("an index has at most 100000000 bytes, but this has 100000001");
  }

  private AbstractThrowableAssert<?, ?> assertOpenFails(Path index, String json)
      throws IOException {
    Files.writeString(index, json.replace('\'', '"'));
    return assertThatThrownBy(() -> TensorFile.open(index)).isInstanceOf(CheckpointException.class);
  }

  private void write(String file, String version, String... names) throws IOException {
    SafetensorsWriter writer = new SafetensorsWriter();
    writer.note("ema4j.version", version);
    for (String name : names) {
      StateDict<ArrayTensor> one =
          StateDict.builder(ArrayBackend.instance())
              .parameter(name, ArrayTensor.of(new float[1], 1))
              .build();
      writer.add("", one, "model");
    }
    writer.write(folder.resolve(file));
  }

  private static Map<String, String> parse(String json) {
    return ShardIndex.parse(INDEX, json.replace('\'', '"').getBytes(StandardCharsets.UTF_8))
        .places();
  }

  private static void assertRefused(String json, String expected) {
    assertThatThrownBy(() -> parse(json))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(expected);
  }
}
