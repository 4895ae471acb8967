package io.github.ema4j.examples;

import io.github.ema4j.Advice;
import io.github.ema4j.EmaAdvisor;
import io.github.ema4j.spi.ModelAdapter;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/** Finds out which decay serves a model best. */
public final class FindDecay {

  private FindDecay() {}

  /**
   * Trains for a few epochs and returns the advice that follows.
   *
   * @param step trains the model by one step
   * @param score is asked on data that are not trained on; the higher the better
   */
  public static <M> Advice advice(
      ModelAdapter<M, ?> adapter,
      M model,
      int epochs,
      int stepsPerEpoch,
      Consumer<M> step,
      ToDoubleFunction<M> score) {
    Advice advice;
    // tag::advisor[]
    try (EmaAdvisor<M> advisor = EmaAdvisor.builder(adapter).build(model)) {
      for (int epoch = 0; epoch < epochs; epoch++) {
        for (int i = 0; i < stepsPerEpoch; i++) {
          step.accept(model);
          advisor.update(model);
        }
        advisor.evaluate(model, score); // on validation data, the higher the better
      }
      advice = advisor.advice();
    }
    // end::advisor[]
    return advice;
  }
}
