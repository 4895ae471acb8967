package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.ModelEma;
import io.github.ema4j.checkpoint.PthFile;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;

/** Trains on from the averaged weights of somebody else's checkpoint. */
public final class FineTune {

  private FineTune() {}

  /**
   * Trains a model, which ends with the averaged weights.
   *
   * @param pretrained a file that timm wrote
   * @param step trains the model by one step
   * @throws IOException if the file cannot be read
   */
  public static <M> void train(
      ModelAdapter<M, ?> adapter, M model, Path pretrained, int steps, Consumer<M> step)
      throws IOException {
    // tag::finetune[]
    try (ModelEma<M> ema = ModelEma.builder(adapter).strategy(nameMatched(0.999)).build(model)) {
      try (PthFile file = PthFile.open(pretrained)) {
        ema.load(file.average(PthLayout.TIMM));
        ema.copyTo(model);
      }
      for (int i = 0; i < steps; i++) {
        step.accept(model);
        ema.update(model);
      }
      ema.copyTo(model);
    }
    // end::finetune[]
  }
}
