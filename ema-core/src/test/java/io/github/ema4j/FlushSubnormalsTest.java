package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;

/** What becomes of weights that training holds at zero. */
class FlushSubnormalsTest {
  private final StateDict<ArrayTensor> model = model("w", 1e-30f, -1e-30f, 1);

  private ModelEma<StateDict<ArrayTensor>> start(boolean flush) {
    return averaging()
        .strategy(EmaStrategy.nameMatched(0.9))
        .flushSubnormals(flush)
        .canary(false)
        .build(model);
  }

  private void updateWithZeros(ModelEma<StateDict<ArrayTensor>> average) {
    floats(model)[0] = 0;
    floats(model)[1] = 0;
    for (int i = 0; i < 300; i++) {
      average.update(model);
    }
  }

  @Test
  void withoutFlushingTheyStaySubnormalForEver() {
    try (ModelEma<StateDict<ArrayTensor>> average = start(false)) {
      updateWithZeros(average);
      assertThat(floats(average.state())[0]).isGreaterThan(0).isLessThan(Float.MIN_NORMAL);
      assertThat(floats(average.state())[1]).isLessThan(0).isGreaterThan(-Float.MIN_NORMAL);
    }
  }

  @Test
  void withFlushingTheyBecomeZero() {
    try (ModelEma<StateDict<ArrayTensor>> average = start(true)) {
      updateWithZeros(average);
      assertThat(floats(average.state())).containsExactly(0f, 0f, 1f);
    }
  }
}
