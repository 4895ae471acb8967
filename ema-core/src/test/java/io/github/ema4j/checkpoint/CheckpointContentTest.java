package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.EmaConfig;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointContentTest {
  private static final StateDict<ArrayTensor> WEIGHTS =
      StateDict.builder(ArrayBackend.instance())
          .parameter("w", ArrayTensor.of(new float[] {1, 2}, 2))
          .build();

  @TempDir private Path folder;

  private static CheckpointContent.Builder with(String... averages) {
    CheckpointContent.Builder content = CheckpointContent.builder();
    for (String name : averages) {
      content.average(name, EmaConfig.defaults(), Progress.START, WEIGHTS);
    }
    return content;
  }

  @Test
  void anAverageIsThereOnce() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> with("a", "b", "a"))
        .withMessage("there is an average 'a' already");
  }

  @Test
  void onlyOneThatIsAloneHasNoName() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> with("a", ""))
        .withMessage("only an average that is alone may be without a name");
    assertThatIllegalArgumentException().isThrownBy(() -> with("", "a"));
  }

  @Test
  void aCheckpointHasAnAverage() {
    assertThatThrownBy(() -> CheckpointContent.builder().model(WEIGHTS).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("a checkpoint needs an average");
  }

  @ParameterizedTest
  @ValueSource(strings = {"ema4j.sha256", "ema4j.", "format"})
  void whatHasAMeaningIsNoNote(String key) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> with("a").note(key, "1"))
        .withMessage("the key '" + key + "' has a meaning of its own; take another");
  }

  @Test
  void notesAreRead() throws IOException {
    Path file = folder.resolve("x.safetensors");
    with("").note("epoch", "3").build().write(file);

    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(checkpoint.metadata()).containsEntry("epoch", "3");
      assertThat(checkpoint.model()).isEmpty();
    }
  }
}
