package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.Progress;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * What a checkpoint says of one of its averages beside the weights. Each part is a string of the
 * file's metadata, under {@code ema4j.average.} and the average's number.
 *
 * @param name its name in a bank; empty if it is alone
 * @param prefix how the names of its tensors begin
 * @param config the text of its configuration
 * @param progress how far it had come
 */
record AverageMetadata(String name, String prefix, String config, Progress progress) {
  static final String COUNT = "ema4j.averages";

  /** Says all of this to {@code note}, key by key. */
  void write(int number, BiConsumer<String, String> note) {
    ImmutableMap.<String, Object>builder()
        .put("name", name)
        .put("prefix", prefix)
        .put("config", config)
        .put("updates", progress.updates())
        .put("time", progress.time())
        .put("pending", progress.pending())
        .put("microSteps", progress.microSteps())
        .put("skipped", progress.skipped())
        .put("decay", progress.decay())
        .put("startWeight", progress.startWeight())
        .put("logDecayProduct", progress.logDecayProduct())
        .buildOrThrow()
        .forEach((key, value) -> note.accept(key(number, key), value.toString()));
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @throws CheckpointException if a part is missing or malformed
   */
  static AverageMetadata read(Path file, Map<String, String> metadata, int number) {
    Reader reader = new Reader(file, metadata, number);
    Progress progress;
    try {
      progress =
          new Progress(
              reader.value("updates", Long::valueOf),
              reader.value("time", Long::valueOf),
              reader.value("pending", Long::valueOf),
              reader.value("microSteps", Integer::valueOf),
              reader.value("skipped", Long::valueOf),
              reader.value("decay", Double::valueOf),
              reader.value("startWeight", Double::valueOf),
              reader.value("logDecayProduct", Double::valueOf));
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file, key(number, ""), String.valueOf(e.getMessage()), e);
    }
    return new AverageMetadata(
        reader.value("name", Function.identity()),
        reader.value("prefix", Function.identity()),
        reader.value("config", Function.identity()),
        progress);
  }

  private static String key(int number, String part) {
    return "ema4j.average." + number + "." + part;
  }

  private record Reader(Path file, Map<String, String> metadata, int number) {

    <V> V value(String part, Function<String, V> parse) {
      String key = key(number, part);
      String text = metadata.get(key);
      if (text == null) {
        throw new CheckpointException(file, key, "the metadata do not have it", null);
      }
      try {
        return parse.apply(text);
      } catch (NumberFormatException e) {
        throw new CheckpointException(
            file, key, "'" + Unpickler.abbreviate(text) + "' is not a number", e);
      }
    }
  }
}
