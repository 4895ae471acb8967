package io.github.ema4j.djl;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDList;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.translate.TranslateException;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.Swap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Evaluates the averaged weights after each epoch of {@code EasyTrain.fit}, beside DJL's own
 * evaluation of the trained ones, which stays as it is.
 *
 * <pre>{@code
 * config.addTrainingListeners(TrainingListener.Defaults.logging());
 * config.addTrainingListeners(new EmaValidationListener(validation));
 * }</pre>
 *
 * <p>The result of each of the training's evaluators, the loss among them, is added to the
 * trainer's metrics, where it has some, as {@code validate_epoch_ema_Accuracy} and the like. For
 * one training, whose trainer is an {@link EmaTrainer}. Not thread-safe, but for {@link
 * #latestEvaluations}.
 */
public final class EmaValidationListener extends TrainingListenerAdapter {
  private static final String PREFIX = "validate_epoch_ema_";

  private final Dataset validation;
  private volatile ImmutableMap<String, Float> latestEvaluations = ImmutableMap.of();

  /**
   * Makes a listener.
   *
   * @param validation what to evaluate on; stays the caller's
   */
  public EmaValidationListener(Dataset validation) {
    this.validation = requireNonNull(validation, "validation");
  }

  /**
   * Evaluates the averaged weights. The model has its own again when this returns or throws.
   *
   * @throws IllegalArgumentException if the trainer has no average
   * @throws IllegalStateException if the average is swapped into a model already
   */
  @Override
  public void onEpoch(Trainer trainer) {
    checkArgument(
        trainer instanceof EmaTrainer,
        "there is no average to evaluate: the trainer must be an EmaTrainer, but is a %s",
        trainer.getClass().getName());
    List<Evaluator> evaluators = trainer.getEvaluators();
    evaluators.forEach(evaluator -> evaluator.addAccumulator(PREFIX));
    try {
      evaluate((EmaTrainer) trainer, evaluators);
    } catch (IOException e) {
      throw new UncheckedIOException("the validation set cannot be read: " + e.getMessage(), e);
    } catch (TranslateException e) {
      throw new IllegalStateException(
          "the validation set cannot be turned into arrays: " + e.getMessage(), e);
    }
    report(trainer.getMetrics(), evaluators);
  }

  @SuppressWarnings("try") // the swap is open for as long as it is not closed
  private void evaluate(EmaTrainer trainer, List<Evaluator> evaluators)
      throws IOException, TranslateException {
    try (Swap swap = trainer.ema().swapInto(trainer.getModel().getBlock())) {
      for (Batch batch : trainer.iterateDataset(validation)) {
        try (batch) {
          Batch onDevice = batch.split(trainer.getDevices(), false)[0];
          NDList labels = onDevice.getLabels();
          NDList predictions = trainer.evaluate(onDevice.getData());
          evaluators.forEach(evaluator -> evaluator.updateAccumulator(PREFIX, labels, predictions));
        }
      }
    }
  }

  private void report(@Nullable Metrics metrics, List<Evaluator> evaluators) {
    ImmutableMap.Builder<String, Float> evaluations = ImmutableMap.builder();
    for (Evaluator evaluator : evaluators) {
      float value = evaluator.getAccumulator(PREFIX);
      evaluations.put(evaluator.getName(), value);
      if (metrics != null) {
        metrics.addMetric(PREFIX + evaluator.getName(), value);
      }
    }
    latestEvaluations = evaluations.buildKeepingLast();
  }

  /** Returns what the evaluators said after the last epoch, by their names; at first nothing. */
  public ImmutableMap<String, Float> latestEvaluations() {
    return latestEvaluations;
  }
}
