package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.io.Resources;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.LogCapture;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.SeededTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** PyTorch's checkpoints resume averages; the files are PyTorch's own. */
class PthResumeTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "timm-checkpoint.pth.tar",
        "timm-checkpoint-legacy.pth.tar",
        "timm-checkpoint-module-prefix.pth.tar",
        "checkpoint.pth"
      })
  void modelAndAverageAreThoseOfTheFile(String name) throws IOException {
    try (TensorFile expected = TensorFile.open(resource("timm-checkpoint.expected.safetensors"));
        LogCapture log = LogCapture.of(ModelEma.class)) {
      StateDict<ArrayTensor> model = like(expected.stateDict("state_dict/"));
      try (ModelEma<StateDict<ArrayTensor>> ema = average(model)) {
        ema.resumeFrom(resource(name));

        assertSame(model, expected.stateDict("state_dict/"));
        assertSame(ema.state(), expected.stateDict("state_dict_ema/"));
        assertThat(log.warnings()).singleElement().asString().contains("schedule begins anew");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"timm-checkpoint-without-ema.pth.tar", "state-dict-only.pth"})
  void withoutAnAverageItStartsFromTheLoadedWeights(String name) throws IOException {
    try (TensorFile expected = TensorFile.open(resource("timm-checkpoint.expected.safetensors"));
        LogCapture log = LogCapture.of(ModelEma.class)) {
      StateDict<ArrayTensor> model = like(expected.stateDict("state_dict/"));
      try (ModelEma<StateDict<ArrayTensor>> ema = average(model)) {
        ema.resumeFrom(resource(name));

        assertSame(ema.state(), model);
        assertThat(log.warnings().get(0)).contains("has no average");
      }
    }
  }

  /** A length of 640 begins as a pickle of protocol 2 does. */
  @Test
  void aSafetensorsFileThatBeginsLikeAPickleIsOne() throws IOException {
    String tensor = "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    byte[] bytes = SafetensorsBytes.file(tensor + " ".repeat(640 - tensor.length()), new byte[4]);
    assertThat(bytes).startsWith(0x80, 0x02);

    try (Checkpoint checkpoint =
        Checkpoint.open(Files.write(folder.resolve("w.safetensors"), bytes))) {
      assertThat(checkpoint.model()).isPresent();
    }
  }

  @Test
  void whatIsNeitherIsRefused() throws IOException {
    Path empty = Files.createFile(folder.resolve("empty"));

    assertThatThrownBy(() -> Checkpoint.open(empty)).isInstanceOf(CheckpointException.class);
  }

  private static ModelEma<StateDict<ArrayTensor>> average(StateDict<ArrayTensor> model) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0.5))
        .build(model);
  }

  private static StateDict<ArrayTensor> like(StateDict<FileTensor> state) {
    StateDict.Builder<ArrayTensor> model = StateDict.builder(ArrayBackend.instance());
    for (StateDict.Entry<FileTensor> entry : state.entries()) {
      ArrayTensor tensor = ArrayBackend.instance().allocate(List.of(entry.spec())).get(0);
      model.add(entry.name(), tensor, entry.role());
    }
    return model.build();
  }

  private static void assertSame(StateDict<?> actual, StateDict<?> expected) {
    SeededTensors.assertSameBits(actual, expected, "weights");
  }

  private static Path resource(String name) {
    return Path.of(Resources.getResource(PthResumeTest.class, name).getPath());
  }
}
