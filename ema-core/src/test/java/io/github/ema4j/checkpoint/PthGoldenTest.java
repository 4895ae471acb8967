package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that PyTorch and timm wrote, against what they hold, which safetensors wrote. */
class PthGoldenTest {

  @ParameterizedTest
  @CsvSource({
    "timm-checkpoint.pth.tar, state_dict, state_dict_ema, ''",
    "timm-checkpoint-legacy.pth.tar, state_dict, state_dict_ema, ''",
    "timm-checkpoint-module-prefix.pth.tar, state_dict, state_dict_ema, module.",
    "checkpoint.pth, model_state_dict, ema_state_dict, ''",
  })
  void checkpointsAreReadToTheLastBit(String name, String model, String average, String prefix)
      throws IOException {
    try (PthFile file = PthFile.open(Golden.path(name));
        TensorFile expected =
            TensorFile.open(Golden.path("timm-checkpoint.expected.safetensors"))) {
      assertThat(Golden.content(file.stateDict(model)))
          .containsExactlyEntriesOf(Golden.content(expected.stateDict("state_dict/")));
      assertThat(Golden.content(file.stateDict(average)))
          .containsExactlyEntriesOf(
              prefixed(prefix, Golden.content(expected.stateDict("state_dict_ema/"))));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "timm-checkpoint-without-ema.pth.tar, state_dict",
    "state-dict-only.pth, ''",
  })
  void weightsAloneAreReadToTheLastBit(String name, String key) throws IOException {
    try (PthFile file = PthFile.open(Golden.path(name));
        TensorFile expected =
            TensorFile.open(Golden.path("timm-checkpoint.expected.safetensors"))) {
      assertThat(Golden.content(file.stateDict(key)))
          .containsExactlyEntriesOf(Golden.content(expected.stateDict("state_dict/")));
    }
  }

  @Test
  void viewsOfEveryTypeAreReadToTheLastBit() throws IOException {
    try (PthFile file = PthFile.open(Golden.path("strided.pth"));
        TensorFile expected = TensorFile.open(Golden.path("strided.expected.safetensors"))) {
      assertThat(Golden.content(file.stateDict("state_dict")))
          .containsExactlyEntriesOf(Golden.content(expected.stateDict()));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"timm-checkpoint.pth.tar", "timm-checkpoint-legacy.pth.tar"})
  void valuesBesideTheTensorsAreRead(String name) throws IOException {
    try (PthFile file = PthFile.open(Golden.path(name))) {
      assertThat(file.keys())
          .containsExactly(
              "epoch", "arch", "state_dict", "state_dict_ema", "optimizer", "version", "metric");
      assertThat(file.values())
          .containsExactly(
              Map.entry("epoch", 3L),
              Map.entry("arch", "net"),
              Map.entry("version", 2L),
              Map.entry("metric", 0.5));
    }
  }

  private static Map<String, String> prefixed(String prefix, Map<String, String> content) {
    return content.entrySet().stream()
        .collect(
            Collectors.toMap(
                entry -> prefix + entry.getKey(),
                Map.Entry::getValue,
                (a, b) -> a,
                LinkedHashMap::new));
  }
}
