package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import ai.djl.Model;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.EasyTrain;
import ai.djl.training.TrainingConfig;
import ai.djl.training.dataset.Dataset;
import ai.djl.translate.TranslateException;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import io.github.ema4j.djl.DjlAdapter;
import io.github.ema4j.djl.EmaTrainer;
import java.io.IOException;

/** An ordinary DJL training, with an average beside it. */
public final class AddEmaToDjl {

  private AddEmaToDjl() {}

  /**
   * Trains a model, evaluates the averaged weights and leaves them in the model.
   *
   * @throws IOException if a dataset cannot be read
   * @throws TranslateException if an example cannot be turned into arrays
   */
  @SuppressWarnings("try") // the swap is there to be closed
  public static void train(
      Model model, TrainingConfig config, Shape input, int epochs, Dataset training, Dataset test)
      throws IOException, TranslateException {
    // tag::readme[]
    ModelEma.Builder<Block> average =
        ModelEma.builder(DjlAdapter.instance()).strategy(nameMatched(0.999));
    try (EmaTrainer trainer = new EmaTrainer(model, config, average)) {
      trainer.initialize(input);
      EasyTrain.fit(trainer, epochs, training, null); // every step updates the average
      try (Swap swap = trainer.ema().swapInto(model.getBlock())) {
        EasyTrain.evaluateDataset(trainer, test); // on the averaged weights
      } // the model has its own weights again
      trainer.ema().copyTo(model.getBlock()); // for release: the averaged ones
    }
    // end::readme[]
  }
}
