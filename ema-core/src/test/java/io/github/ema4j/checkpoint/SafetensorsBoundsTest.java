package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.Progress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What {@code docs/security.md} promises of memory, in what is allocated: what is kept is less.
 * Each file has as many entries as go into its length, whatever is read into an entry.
 */
class SafetensorsBoundsTest {
  private static final int MOST = 128;
  private static final int COUNT = 20_000;
  private static final Path INDEX = Path.of("x.safetensors.index.json");

  private interface Reading {
    void run();
  }

  private static void assertBounded(int bytes, Reading reading) {
    long before = Allocated.bytes();
    reading.run();
    long allocated = Allocated.bytes() - before;
    assertThat(allocated).isLessThan((long) MOST * bytes);
  }

  /** Returns a JSON object of many entries, in which {@code $} is the entry's number. */
  private static String object(int count, String entry) {
    return IntStream.range(0, count)
        .mapToObj(i -> entry.replace("$", Integer.toString(i, 36)))
        .collect(Collectors.joining(",", "{", "}"));
  }

  private static String empty(String name) {
    return "\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
  }

  private static void read(byte[] file) {
    try (TensorFile read =
            Safetensors.read(FileBytes.of(Path.of("test.safetensors"), ByteBuffer.wrap(file)));
        Checkpoint checkpoint = TensorFileCheckpoint.of(read)) {
      checkpoint.verify();
    } catch (CheckpointException e) {
      // Refused as late as can be.
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"$\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
        "\"$\":{\"shape\":[0,0,0,0,0,0,0,0,0,0,0,0,0],\"dtype\":\"U8\",\"data_offsets\":[0,0]}",
        "\"ema_state_dict.$\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}",
        "\"ema_state_dict/$\":{\"dtype\":\"BOOL\",\"shape\":[0],\"data_offsets\":[0,0]}",
        "\"\u00fc$\u20ac\":{\"dtype\":\"BF16\",\"shape\":[0],\"data_offsets\":[0,0]}",
      })
  void manyTensorsTakeALimitedTimeOfTheirLength(String entry) {
    byte[] file = SafetensorsBytes.file(object(COUNT, entry));
    read(SafetensorsBytes.file(object(1, entry)));

    assertBounded(file.length, () -> read(file));
  }

  @Test
  void manyNotes() {
    byte[] file = SafetensorsBytes.file("{\"__metadata__\":" + object(COUNT, "\"$\":\"\"") + "}");

    assertBounded(file.length, () -> read(file));
  }

  /** As many averages as a file may claim, of a tensor each. */
  @Test
  void manyAverages() {
    int count = 9_999;
    Map<String, String> notes = new LinkedHashMap<>();
    notes.put("ema4j.format", "1");
    notes.put(AverageMetadata.COUNT, String.valueOf(count));
    StringBuilder tensors = new StringBuilder();
    for (int i = 0; i < count; i++) {
      String prefix = "ema." + Integer.toString(i, 36) + ".";
      new AverageMetadata(prefix, prefix, "", Progress.START).write(i, notes::put);
      tensors.append(',').append(empty(prefix));
    }
    String metadata =
        notes.entrySet().stream()
            .map(note -> "\"" + note.getKey() + "\":\"" + note.getValue() + "\"")
            .collect(Collectors.joining(",", "{\"__metadata__\":{", "}"));
    byte[] file = SafetensorsBytes.file(metadata + tensors + "}");

    assertBounded(file.length, () -> read(file));
  }

  @Test
  void manyPlacesInAnIndex() {
    byte[] json =
        ("{\"weight_map\":" + object(COUNT, "\"$\":\"x\"") + "}").getBytes(StandardCharsets.UTF_8);

    assertBounded(json.length, () -> ShardIndex.parse(INDEX, json));
  }

  @Test
  void muchThatIsSkippedInAnIndex() {
    byte[] json =
        ("{\"x\":" + object(COUNT, "\"$\":[1,{}]") + ",\"weight_map\":{\"a\":\"b\"}}")
            .getBytes(StandardCharsets.UTF_8);

    assertBounded(json.length, () -> ShardIndex.parse(INDEX, json));
  }
}
