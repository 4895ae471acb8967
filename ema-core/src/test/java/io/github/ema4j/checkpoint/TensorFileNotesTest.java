package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorFileNotesTest {
  private static final StateDict<ArrayTensor> WEIGHTS =
      StateDict.builder(ArrayBackend.instance())
          .parameter("w", ArrayTensor.of(new float[] {1, 2}, 2))
          .build();

  @TempDir private Path folder;

  @Test
  void notesAreReadBack() throws IOException {
    Path file = folder.resolve("a.safetensors");

    TensorFile.write(file, WEIGHTS, Map.of("epoch", "3"));

    try (TensorFile read = TensorFile.open(file)) {
      read.verify();
      assertThat(read.metadata()).containsEntry("epoch", "3").containsKey(Sha256Field.KEY);
      assertThat(read.tensors().keySet()).containsExactly("w");
    }
  }

  @Test
  void theChecksumIsNoNote() {
    Path file = folder.resolve("a.safetensors");

    assertThatIllegalArgumentException()
        .isThrownBy(() -> TensorFile.write(file, WEIGHTS, Map.of(Sha256Field.KEY, "0")))
        .withMessage("'" + Sha256Field.KEY + "' is computed");
    assertThat(file).doesNotExist();
  }
}
