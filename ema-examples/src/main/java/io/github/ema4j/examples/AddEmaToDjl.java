package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import ai.djl.Model;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.translate.TranslateException;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import io.github.ema4j.djl.DjlAdapter;
import io.github.ema4j.djl.EmaTrainer;
import io.github.ema4j.djl.EmaValidationListener;
import java.io.IOException;
import java.util.Map;

/** Ordinary DJL trainings, with an average beside them. */
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

  /**
   * Trains a model with an average that is validated after each epoch, and leaves the averaged
   * weights in the model.
   *
   * @return what the evaluators said of the average last, by their names
   * @throws IOException if a dataset cannot be read
   * @throws TranslateException if an example cannot be turned into arrays
   */
  public static Map<String, Float> trainWithValidation(
      Model model,
      DefaultTrainingConfig config,
      Shape input,
      int epochs,
      Dataset training,
      Dataset validation)
      throws IOException, TranslateException {
    ModelEma.Builder<Block> average =
        ModelEma.builder(DjlAdapter.instance()).strategy(nameMatched(0.9));
    // tag::validation[]
    EmaValidationListener averaged = new EmaValidationListener(validation);
    config.addTrainingListeners(averaged);
    try (EmaTrainer trainer = new EmaTrainer(model, config, average)) {
      trainer.initialize(input);
      EasyTrain.fit(trainer, epochs, training, validation);
      trainer.ema().copyTo(model.getBlock());
    }
    // end::validation[]
    return averaged.latestEvaluations();
  }

  /**
   * Trains for an epoch in a loop of one's own, with DJL's own trainer, and leaves the averaged
   * weights in the model.
   *
   * @param trainer an initialised trainer
   * @throws IOException if a dataset cannot be read
   * @throws TranslateException if an example cannot be turned into arrays
   */
  public static void trainInALoop(Trainer trainer, Dataset training)
      throws IOException, TranslateException {
    // tag::loop[]
    Block block = trainer.getModel().getBlock();
    try (ModelEma<Block> ema =
        ModelEma.builder(DjlAdapter.instance()).strategy(nameMatched(0.9)).build(block)) {
      for (Batch batch : trainer.iterateDataset(training)) {
        EasyTrain.trainBatch(trainer, batch);
        trainer.step();
        ema.update(block); // after the step
        batch.close();
      }
      ema.copyTo(block);
    }
    // end::loop[]
  }
}
