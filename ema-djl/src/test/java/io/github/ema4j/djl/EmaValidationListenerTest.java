package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.util.Progress;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try") // swaps are open for as long as they are not closed
class EmaValidationListenerTest {
  private static final int EPOCHS = 3;

  private Model model;
  private ArrayDataset data;

  @BeforeEach
  void open() {
    model = Nets.initialized(5);
    data = Nets.data(model.getNDManager());
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static EmaTrainer trainer(Model model, TrainingListener... listeners) {
    DefaultTrainingConfig config =
        Nets.config().addEvaluator(new Accuracy()).addTrainingListeners(listeners);
    EmaTrainer trainer =
        new EmaTrainer(
            model,
            config,
            ModelEma.builder(DjlAdapter.instance()).strategy(EmaStrategy.nameMatched(0.9)));
    trainer.setMetrics(new Metrics());
    trainer.initialize(Nets.INPUT);
    return trainer;
  }

  private static List<Float> values(Trainer trainer, String metric) {
    return trainer.getMetrics().getMetric(metric).stream()
        .map(value -> value.getValue().floatValue())
        .toList();
  }

  /** Evaluates the average after each epoch in another way. */
  private static final class Expecting extends EvaluatorTrainingListener {
    private final ArrayDataset data;
    final List<Float> accuracies = new ArrayList<>();
    final List<Float> losses = new ArrayList<>();

    Expecting(ArrayDataset data) {
      this.data = data;
    }

    @Override
    public void onEpoch(Trainer trainer) {
      super.onEpoch(trainer);
      Block block = trainer.getModel().getBlock();
      try (Swap swap = ((EmaTrainer) trainer).ema().swapInto(block)) {
        accuracies.add(evaluated(trainer, new Accuracy()));
        losses.add(evaluated(trainer, Loss.softmaxCrossEntropyLoss()));
      }
    }

    private float evaluated(Trainer trainer, Evaluator evaluator) {
      evaluator.addAccumulator("expected");
      try {
        for (Batch batch : trainer.iterateDataset(data)) {
          NDList predictions = trainer.evaluate(batch.getData());
          evaluator.updateAccumulator("expected", batch.getLabels(), predictions);
          batch.close();
        }
      } catch (Exception e) {
        throw new AssertionError(e);
      }
      return evaluator.getAccumulator("expected");
    }
  }

  @Test
  void addsWhatTheAverageReachesToTheMetricsOfEveryEpoch() throws Exception {
    Expecting expecting = new Expecting(data);
    EmaValidationListener listener = new EmaValidationListener(data);
    try (EmaTrainer trainer = trainer(model, expecting, listener)) {
      assertThat(listener.latestEvaluations()).isEmpty();
      EasyTrain.fit(trainer, EPOCHS, data, data);

      assertThat(expecting.losses).hasSize(EPOCHS).doesNotHaveDuplicates();
      assertThat(values(trainer, "validate_epoch_ema_Accuracy")).isEqualTo(expecting.accuracies);
      assertThat(values(trainer, "validate_epoch_ema_SoftmaxCrossEntropyLoss"))
          .isEqualTo(expecting.losses);
      assertThat(listener.latestEvaluations())
          .containsOnlyKeys("Accuracy", "SoftmaxCrossEntropyLoss");
      assertThat(listener.latestEvaluations().get("SoftmaxCrossEntropyLoss"))
          .isEqualTo(expecting.losses.get(EPOCHS - 1));
    }
  }

  @Test
  void leavesTrainingAndItsMetricsAsTheyAre() throws Exception {
    Map<String, float[]> weights;
    List<Float> validated;
    try (EmaTrainer trainer = trainer(model, new EvaluatorTrainingListener())) {
      EasyTrain.fit(trainer, EPOCHS, data, data);
      weights = Nets.weights(model.getBlock());
      validated = values(trainer, "validate_epoch_SoftmaxCrossEntropyLoss");
    }
    try (Model again = Nets.initialized(5);
        EmaTrainer trainer =
            trainer(again, new EmaValidationListener(data), new EvaluatorTrainingListener())) {
      EasyTrain.fit(trainer, EPOCHS, data, data);
      assertThat(Nets.weights(again.getBlock())).usingRecursiveComparison().isEqualTo(weights);
      assertThat(values(trainer, "validate_epoch_SoftmaxCrossEntropyLoss")).isEqualTo(validated);
    }
  }

  @Test
  void worksWithoutMetricsAndLeavesNothingOpen() throws Exception {
    EmaValidationListener listener = new EmaValidationListener(data);
    try (EmaTrainer trainer = trainer(model, listener)) {
      trainer.setMetrics(null);
      listener.onEpoch(trainer); // the first swap allocates the backup
      int open = Nets.openArrays();
      String models = model.getNDManager().toString();
      listener.onEpoch(trainer);

      assertThat(listener.latestEvaluations()).hasSize(2);
      assertThat(Nets.openArrays()).isEqualTo(open);
      assertThat(model.getNDManager().toString()).isEqualTo(models);
    }
  }

  @Test
  void refusesATrainerWithoutAnAverage() {
    try (Trainer plain = model.newTrainer(Nets.config())) {
      assertThatThrownBy(() -> new EmaValidationListener(data).onEpoch(plain))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("must be an EmaTrainer, but is a ai.djl.training.Trainer");
    }
  }

  /** A dataset that cannot be read. */
  private static final class Unreadable implements Dataset {
    @Override
    public Iterable<Batch> getData(ai.djl.ndarray.NDManager manager) throws IOException {
      throw new IOException("disk");
    }

    @Override
    public void prepare(Progress progress) {}
  }

  @Test
  void givesTheWeightsBackWhereTheDataCannotBeRead() {
    try (EmaTrainer trainer = trainer(model)) {
      NDArray weight = model.getBlock().getParameters().get(0).getValue().getArray();
      weight.set(new float[30]);
      assertThatThrownBy(() -> new EmaValidationListener(new Unreadable()).onEpoch(trainer))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining("the validation set cannot be read: disk");
      assertThat(weight.toFloatArray()).containsOnly(0);
      assertThat(trainer.ema().swapped()).isFalse();
    }
  }
}
