package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;

/** Steps along averaged gradients: the engine that averages models, over a dict of gradients. */
public final class AverageGradients {

  private AverageGradients() {}

  /**
   * Trains with gradients averaged as Adam's first moment is.
   *
   * @param gradients the live gradients
   * @param backward overwrites the gradients with those of the next batch
   * @param step lets the optimiser step along the gradients
   */
  public static <T> void train(
      StateDict<T> gradients, int steps, Runnable backward, Runnable step) {
    // tag::gradients[]
    DecaySchedule debiased = DecaySchedule.constant(0.9).zeroDebiased();
    try (ModelEma<StateDict<T>> average =
        ModelEma.builder(StateDict.adapter(gradients.backend()))
            .strategy(nameMatched(0.9).scheduled(debiased))
            .build(gradients)) {
      for (int i = 0; i < steps; i++) {
        backward.run();
        average.update(gradients);
        average.copyTo(gradients); // the optimiser finds the averaged ones
        step.run();
      }
    }
    // end::gradients[]
  }
}
