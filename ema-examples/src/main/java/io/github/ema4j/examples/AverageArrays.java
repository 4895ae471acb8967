package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.ordered;

import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;

/** An average of plain arrays, without a framework. */
public final class AverageArrays {

  private AverageArrays() {}

  /** Returns weights that were averaged over one training step. */
  public static float[] averagedOverOneStep() {
    // tag::readme[]
    float[] weights = {0, 0, 0};
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("weights", ArrayTensor.of(weights, 3))
            .build();
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).strategy(ordered(0.9)).build(model)) {
      weights[1] = 10; // a training step
      ema.update(model); // the average of weights[1] is now 1
      ema.copyTo(model);
    }
    // end::readme[]
    return weights;
  }
}
