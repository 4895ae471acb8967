package io.github.ema4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The counts are those of torchvision's and timm's models. */
class ModelShapeTest {

  @Test
  void resNet50HasItsParameters() {
    assertThat(ModelShape.resNet50().tensors()).hasSize(161);
    assertThat(ModelShape.resNet50().parameters()).isEqualTo(25_557_032);
  }

  @Test
  void vitBHasItsParameters() {
    assertThat(ModelShape.vitB().tensors()).hasSize(152);
    assertThat(ModelShape.vitB().parameters()).isEqualTo(86_567_656);
  }

  @Test
  void aShortenedShapeIsFewSmallTensors() {
    assertThat(ModelShape.vitB().shortened().parameters()).isBetween(1_000L, 5_000L);
  }
}
