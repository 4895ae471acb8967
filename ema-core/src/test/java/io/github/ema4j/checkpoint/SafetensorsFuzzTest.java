package io.github.ema4j.checkpoint;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.ema4j.StateDict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * Whatever a safetensors file or an index contains, it is read or refused by a {@link
 * CheckpointException}.
 *
 * <p>An ordinary build runs the inputs in {@code SafetensorsFuzzTestInputs}, as {@link PthFuzzTest}
 * does with its own.
 */
class SafetensorsFuzzTest {
  private static final Path FILE = Path.of("fuzzed.safetensors");
  private static final Path INDEX = Path.of("fuzzed.safetensors.index.json");

  @FuzzTest(maxDuration = "10m")
  @DictionaryEntries({
    "{\"__metadata__\":{",
    "\"dtype\":\"F32\"",
    "\"dtype\":\"BOOL\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "\"ema4j.format\":\"1\"",
    "\"ema4j.averages\":\"2\"",
    "\"ema4j.sha256\":\"",
    "\"ema4j.live\":\"model\"",
    "\"ema4j.average.0.prefix\":\"ema.\"",
    "\"ema4j.average.1.name\":\"",
    "ema_state_dict.",
    "state_dict_ema/",
    "model."
  })
  void file(byte[] data) {
    try (TensorFile file = Safetensors.read(FileBytes.of(FILE, ByteBuffer.wrap(data)));
        Checkpoint checkpoint = TensorFileCheckpoint.of(file)) {
      readAll(file.stateDict());
      checkpoint.model().ifPresent(SafetensorsFuzzTest::readAll);
      checkpoint.averages().values().forEach(average -> readAll(average.weights()));
      checkpoint.verify();
    } catch (CheckpointException e) {
      // As it should be.
    }
  }

  /** Two shards of one tensor each, {@code x.safetensors} with x and {@code y.safetensors}. */
  @FuzzTest(maxDuration = "10m")
  @DictionaryEntries({
    "\"weight_map\":{",
    "\"metadata\":{\"total_size\":",
    "\"x\":\"x.safetensors\"",
    "\"y\":\"y.safetensors\"",
    "../",
    "\\u0000"
  })
  void index(byte[] data) throws IOException {
    try (TensorFile file =
        ShardIndex.open(
            INDEX, ShardIndex.parse(INDEX, data).places(), SafetensorsFuzzTest::shard)) {
      readAll(file.stateDict());
      file.verify();
    } catch (CheckpointException e) {
      // As it should be.
    }
  }

  private static TensorFile shard(String name) {
    if (!name.equals("x.safetensors") && !name.equals("y.safetensors")) {
      throw new CheckpointException(INDEX, "the file " + name + " that it names is missing");
    }
    String header =
        "{\"" + name.charAt(0) + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    return SafetensorsBytes.read(SafetensorsBytes.file(header, (byte) 7));
  }

  private static void readAll(StateDict<?> state) {
    Golden.content(state);
  }
}
