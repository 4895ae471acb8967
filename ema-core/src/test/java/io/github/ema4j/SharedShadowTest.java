package io.github.ema4j;

import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Whoever was given an average's tensors can close them: that is found at the next update. */
class SharedShadowTest {
  private final StateDict<ArrayTensor> model = model("w", 1, 2);

  @Test
  void aTensorOfTheStateThatWasReleasedIsFound() {
    try (ModelEma<StateDict<ArrayTensor>> average = Models.halving(model)) {
      average.update(model);
      release((ArrayTensor) average.state().entries().get(0).tensor());
      assertFound(average);
    }
  }

  @Test
  void aTensorThatARuleWasGivenAndReleasedIsFound() {
    try (ModelEma<StateDict<ArrayTensor>> average = Models.halving(model)) {
      List<ArrayTensor> given = new ArrayList<>();
      average.update(model, ArrayTensor.class, (e, m, decay) -> given.add(e));
      release(given.get(0));
      assertFound(average);
    }
  }

  private static void release(ArrayTensor tensor) {
    ArrayBackend.instance().release(List.of(tensor));
  }

  private void assertFound(ModelEma<StateDict<ArrayTensor>> average) {
    assertThatIllegalStateException()
        .isThrownBy(() -> average.update(model))
        .withMessageStartingWith("'w' of the average: the tensor was released");
  }
}
