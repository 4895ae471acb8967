package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.StringJoiner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files that know nothing of ema4j. */
class PlainCheckpointTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({
    "model_state_dict., ema_state_dict., ''",
    "model_state_dict/, ema_state_dict/, module.",
    "state_dict., state_dict_ema., _orig_mod.",
    "state_dict/, state_dict_ema/, module._orig_mod."
  })
  void modelAndAverageAreFound(String modelPrefix, String averagePrefix, String wrapper)
      throws IOException {
    Path file = file(modelPrefix + wrapper + "w", 1, averagePrefix + wrapper + "w", 2);
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = averaging().strategy(EmaStrategy.nameMatched(0.75)).build(model);
        LogCapture log = LogCapture.of(ModelEma.class)) {
      average.resumeFrom(file);

      assertThat(floats(model)).containsExactly(1);
      assertThat(floats(average.state())).containsExactly(2);
      assertThat(average.progress()).isEqualTo(Progress.START);
      assertThat(log.warnings())
          .singleElement()
          .asString()
          .contains("does not say how far an average had come")
          .contains("keeps 0.75 of it");
    }
  }

  @ParameterizedTest
  @CsvSource({"w", "module.w", "state_dict.w", "model_state_dict/_orig_mod.w"})
  void withoutAnAverageItStartsFromTheLoadedWeights(String name) throws IOException {
    Path file = file(name, 3);
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = averaging().build(model);
        LogCapture log = LogCapture.of(ModelEma.class)) {
      average.resumeFrom(file);

      assertThat(floats(model)).containsExactly(3);
      assertThat(floats(average.state())).containsExactly(3);
      assertThat(log.warnings().get(0)).contains("has no average");
    }
  }

  @Test
  void anAverageDoesNotStartFromNaN() throws IOException {
    Path file = file("w", Float.NaN);
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = averaging().guard(NonFiniteGuard.FAIL).build(model)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> average.resumeFrom(file))
          .withMessageContaining("NaN or infinity");
      assertThat(floats(model)).containsExactly(1);
    }
  }

  /** Positions mean nothing in files whose writer sorts names. */
  @Test
  void orderedAveragesPairByNameToo() throws IOException {
    Path file =
        file("state_dict.a", 1, "state_dict.b", 2, "state_dict_ema.a", 3, "state_dict_ema.b", 4);
    StateDict<ArrayTensor> model =
        Models.dict().parameter("b", Models.tensor(0)).parameter("a", Models.tensor(0)).build();
    try (var average = averaging().strategy(EmaStrategy.ordered(0.5)).build(model)) {
      average.resumeFrom(file);

      assertThat(floats(model, "b")).containsExactly(2);
      assertThat(floats(average.state(), "b")).containsExactly(4);
    }
  }

  @Test
  void otherNamesAreRefused() throws IOException {
    Path file = file("v", 3);
    try (var average = averaging().build(model("w", 0))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.resumeFrom(file))
          .withMessageContaining("'w' is only in the average")
          .withMessageContaining("'v' is only in the state");
    }
  }

  /** Writes names with one value each. */
  private Path file(Object... namesAndValues) throws IOException {
    StringJoiner header = new StringJoiner(",", "{", "}");
    int count = namesAndValues.length / 2;
    ByteBuffer data = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      header.add(
          String.format(
              "\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
              namesAndValues[2 * i], 4 * i, 4 * i + 4));
      data.putFloat(((Number) namesAndValues[2 * i + 1]).floatValue());
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer file =
        ByteBuffer.allocate(8 + json.length + data.capacity())
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(json.length)
            .put(json)
            .put(data.array());
    return Files.write(folder.resolve("plain.safetensors"), file.array());
  }
}
