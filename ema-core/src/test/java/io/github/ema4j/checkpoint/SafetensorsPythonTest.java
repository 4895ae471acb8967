package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.EmaConfig;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayTensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Has the safetensors package, timm and Hugging Face's hub library read what is written here, where
 * there is a {@link Python} that has them.
 */
class SafetensorsPythonTest {
  private static final String SCRIPT = "read_safetensors.py";

  @TempDir private Path folder;

  @BeforeEach
  void needsPython() {
    Python.requireModule("torch");
    Python.requireModule("safetensors");
  }

  private static CheckpointContent.Builder checkpoint() {
    return CheckpointContent.builder()
        .model(Python.model(1))
        .average("", EmaConfig.defaults(), Progress.START, Python.model(2))
        .note("epoch", "3");
  }

  private static List<String> linesOfTheCheckpoint(String owner) {
    return Stream.concat(
            Python.lines(owner + "/model", Python.model(1)).stream(),
            Python.lines(owner + "/ema", Python.model(2)).stream())
        .map(line -> line.replaceFirst("/(model|ema)/", "/$1."))
        .toList();
  }

  /** Compares what safetensors' own reader and its torch loader have seen. */
  private static void assertBothRead(List<String> output, Function<String, List<String>> lines) {
    for (String owner : List.of("file", "loaded")) {
      assertThat(output)
          .filteredOn(line -> line.startsWith(owner + "/"))
          .containsExactlyInAnyOrderElementsOf(lines.apply(owner));
    }
  }

  @Test
  void everyTypeAndLayoutIsRead() throws Exception {
    StateDict<ArrayTensor> all = Python.everyTypeAndLayout();
    Path file = folder.resolve("all.safetensors");
    TensorFile.write(file, all, Map.of());

    List<String> output = Python.run(SCRIPT, "single", file.toString());

    assertThat(output).contains("metadata/format\tpt");
    assertBothRead(output, owner -> Python.lines(owner, all));
  }

  @Test
  void aCheckpointIsRead() throws Exception {
    Path file = folder.resolve("checkpoint.safetensors");
    checkpoint().build().write(file);

    List<String> output = Python.run(SCRIPT, "single", file.toString());

    assertThat(output).contains("metadata/epoch\t3", "metadata/ema4j.format\t1", "digest\tTrue");
    assertBothRead(output, SafetensorsPythonTest::linesOfTheCheckpoint);
  }

  @Test
  void aCheckpointInShardsIsRead() throws Exception {
    Path index = checkpoint().build().writeShards(folder.resolve("model.safetensors"), 40);

    assertThat(Python.run(SCRIPT, "sharded", index.toString()))
        .contains("shards\t4", "total_size\tTrue")
        .filteredOn(line -> line.startsWith("file/"))
        .containsExactlyInAnyOrderElementsOf(linesOfTheCheckpoint("file"));
  }

  @Test
  void timmLoadsAnAverage() throws Exception {
    Python.requireModule("timm");
    Path file = folder.resolve("average.safetensors");
    TensorFile.write(file, Python.model(2), Map.of());

    assertThat(Python.run(SCRIPT, "timm", file.toString()))
        .containsExactlyElementsOf(Python.lines("loaded", Python.model(2)));
  }

  @Test
  void theHubsLibraryLoadsAnAverageInShards() throws Exception {
    Python.requireModule("huggingface_hub");
    Path index =
        TensorFile.writeShards(folder.resolve("model.safetensors"), Python.model(2), Map.of(), 40);

    assertThat(ShardIndex.shards(index)).hasSizeGreaterThan(1);
    assertThat(Python.run(SCRIPT, "hub", folder.toString()))
        .containsExactlyElementsOf(Python.lines("loaded", Python.model(2)));
  }
}
