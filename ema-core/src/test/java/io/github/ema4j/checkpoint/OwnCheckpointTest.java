package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.EmaConfig;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a checkpoint of the library's own says of itself is checked, too. */
class OwnCheckpointTest {
  private static final Progress PROGRESS = new Progress(5, 6, 0, 1, 2, 0.9, 0.5, -0.7);

  private final Map<String, String> metadata = new LinkedHashMap<>();
  @TempDir private Path folder;

  @BeforeEach
  void sayWhatIsRight() {
    metadata.put("ema4j.format", "1");
    metadata.put("ema4j.live", "model");
    metadata.put("ema4j.averages", "2");
    average(0, "fast", "ema.fast.");
    average(1, "slow", "ema.slow.");
  }

  private void average(int number, String name, String prefix) {
    new AverageMetadata(name, prefix, EmaConfig.defaults().toString(), PROGRESS)
        .write(number, metadata::put);
  }

  private Checkpoint open(String... tensors) throws IOException {
    SafetensorsWriter writer = new SafetensorsWriter();
    metadata.forEach(writer::note);
    for (String name : tensors) {
      writer.add("", dict(name, name.length()), "test");
    }
    Path file = folder.resolve("checkpoint.safetensors");
    writer.write(file);
    return Checkpoint.open(file);
  }

  private Checkpoint open() throws IOException {
    return open("model.w", "ema.fast.w", "ema.slow.w", "ema.slow.n");
  }

  private static StateDict<ArrayTensor> dict(String name, float value) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter(name, ArrayTensor.of(new float[] {value}, 1))
        .build();
  }

  private void assertRefused(String reason) {
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("checkpoint.safetensors: ")
        .hasMessageContaining(reason);
  }

  @Test
  void eachTensorIsOfOnePart() throws IOException {
    try (Checkpoint checkpoint = open()) {
      assertThat(Golden.content(checkpoint.model().orElseThrow())).containsOnlyKeys("w");
      assertThat(checkpoint.averages().keySet()).containsExactly("fast", "slow");
      SavedAverage slow = checkpoint.averages().get("slow");
      assertThat(Golden.content(slow.weights())).containsOnlyKeys("w", "n");
      assertThat(slow.progress()).contains(PROGRESS);
      assertThat(slow.configText()).contains(EmaConfig.defaults().toString());
    }
  }

  @Test
  void namesOfTensorsMayHaveDots() throws IOException {
    metadata.put("ema4j.averages", "1");
    average(0, "", "ema.");
    try (Checkpoint checkpoint = open("model.a.b", "ema.a.b", "ema.fast.w")) {
      assertThat(Golden.content(checkpoint.averages().get("").weights()))
          .containsOnlyKeys("a.b", "fast.w");
      assertThat(Golden.content(checkpoint.model().orElseThrow())).containsOnlyKeys("a.b");
    }
  }

  @Test
  void weightsAreFoundByWhatTheyAreCalled() throws IOException {
    try (Checkpoint checkpoint = open()) {
      assertThat(Golden.content(checkpoint.weights("model"))).containsOnlyKeys("w");
      assertThat(Golden.content(checkpoint.weights("ema.slow"))).containsOnlyKeys("w", "n");
      assertThatThrownBy(() -> checkpoint.weights("ema"))
          .isInstanceOf(CheckpointException.class)
          .hasMessage(
              checkpoint.path() + ": it has no weights called ema, but model, ema.fast, ema.slow");
    }
    metadata.put("ema4j.averages", "1");
    try (Checkpoint checkpoint = open("model.w", "ema.fast.w")) {
      assertThat(checkpoint.weights("ema")).isSameAs(checkpoint.weights("ema.fast"));
    }
    try (Checkpoint checkpoint = Checkpoint.open(Golden.path("timm-checkpoint.pth.tar"))) {
      assertThat(checkpoint.weights("model")).isSameAs(checkpoint.model().orElseThrow());
      assertThat(checkpoint.weights("ema")).isNotSameAs(checkpoint.weights("model"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2", "", "1.0"})
  void anotherVersionIsRefused(String version) {
    metadata.put("ema4j.format", version);

    assertRefused("'ema4j.format': it is of version " + version + ", and this program reads");
  }

  @Test
  void averagedWeightsAreNotTakenForTheModels() {
    metadata.put("ema4j.live", "fast");

    assertRefused("'ema4j.live': the model had the weights of 'fast' when it was saved");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-1", "1e1", "10000", "99999999999"})
  void theNumberOfAveragesIsOne(String count) {
    metadata.put("ema4j.averages", count);

    assertRefused("'ema4j.averages': '" + count + "' is not a number of averages");
  }

  @Test
  void whatIsSaidToBeThereIs() {
    metadata.put("ema4j.averages", "3");
    assertRefused("'ema4j.average.2.updates': the metadata do not have it");
    average(2, "none", "ema.none.");
    assertRefused("'ema.none.': there are no tensors whose names begin so");
  }

  @Test
  void aModelThatIsSaidToBeThereIs() {
    assertThatThrownBy(() -> open("ema.fast.w", "ema.slow.w"))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("'model.': there are no tensors whose names begin so");
  }

  @Test
  void averagesHaveNamesOfTheirOwn() {
    average(1, "fast", "ema.slow.");

    assertRefused("two averages have one name");
  }

  /** Else a file could claim to have each tensor thousands of times. */
  @ParameterizedTest
  @ValueSource(
      strings = {"", "ema.", "e", "ema.fast.", "ema.fast.w", "model.", "ema..", "ema.slow"})
  void averagesShareNoTensors(String prefix) {
    average(1, "slow", prefix);

    assertRefused("it is not the beginning of one average's names alone");
  }

  @ParameterizedTest
  @CsvSource({
    "updates, x, 'x' is not a number",
    "time, 9223372036854775808, is not a number",
    "microSteps, 1.5, '1.5' is not a number",
    "decay, '', '' is not a number",
    "updates, -1, updates must not be negative",
    "startWeight, 2, startWeight must be in",
  })
  void progressIsSound(String part, String value, String reason) {
    metadata.put("ema4j.average.1." + part, value);

    assertRefused("'ema4j.average.1.");
    assertRefused(reason);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "name",
        "prefix",
        "config",
        "updates",
        "time",
        "pending",
        "microSteps",
        "skipped",
        "decay",
        "startWeight",
        "logDecayProduct"
      })
  void everyPartIsNeeded(String part) {
    metadata.remove("ema4j.average.0." + part);

    assertRefused("'ema4j.average.0." + part + "': the metadata do not have it");
  }

  /** What {@link CheckpointContent} writes, however averages are called, is read. */
  @Test
  void everyNameOfAnAverageIsRead() throws IOException {
    List<String> names = List.of("a", "a.b", "a_b", ".", "ema.", "model.w", "ü\n", " ");
    CheckpointContent.Builder content = CheckpointContent.builder().model(dict("w", 0));
    names.forEach(
        name -> content.average(name, EmaConfig.defaults(), PROGRESS, dict("w", name.hashCode())));
    Path file = folder.resolve("names.safetensors");
    content.build().write(file);

    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(checkpoint.averages().keySet()).containsExactlyElementsOf(names);
      names.forEach(
          name ->
              assertThat(Golden.content(checkpoint.averages().get(name).weights()))
                  .isEqualTo(Golden.content(dict("w", name.hashCode()))));
    }
  }
}
