package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.ModelEma;
import io.github.ema4j.spi.ModelAdapter;
import java.util.function.Consumer;

/** Trains on from the average after each epoch. */
public final class SwitchEma {

  private SwitchEma() {}

  /**
   * Trains a model, which ends with the averaged weights.
   *
   * @param step trains the model by one step
   */
  public static <M> void train(
      ModelAdapter<M, ?> adapter, M model, int epochs, int stepsPerEpoch, Consumer<M> step) {
    // tag::switchema[]
    try (ModelEma<M> ema = ModelEma.builder(adapter).strategy(nameMatched(0.99)).build(model)) {
      for (int epoch = 0; epoch < epochs; epoch++) {
        for (int i = 0; i < stepsPerEpoch; i++) {
          step.accept(model);
          ema.update(model);
        }
        ema.copyTo(model); // the next epoch trains on from the average
      }
    }
    // end::switchema[]
  }
}
