package io.github.ema4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.initializer.Initializer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.djl.DjlAdapter;
import io.github.ema4j.schedule.PowerFunction;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

class ExamplesTest {

  @Test
  void arraysAreAveragedInPlace() {
    assertThat(AverageArrays.averagedOverOneStep()).containsExactly(0, 1, 0);
  }

  @Test
  void theWidthIsChosenAfterTheTraining() {
    float[] weight = new float[1];
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("weight", ArrayTensor.of(weight, 1))
            .build();
    double gamma = PowerFunction.ofSigmaRel(0.08).gamma();
    double mean = (gamma + 1) / (gamma + 2); // of a weight that rises from 0 to 1

    double best =
        ChooseWidthLater.bestSigmaRel(
            ArrayBackend.adapter(),
            model,
            1_000,
            trained -> weight[0] += 0.001f,
            averaged -> Math.abs(weight[0] - mean));

    assertThat(best).isEqualTo(0.08);
    assertThat(weight[0]).as("the model's own weight").isCloseTo(1, within(1e-4f));
  }

  @Test
  void snapshotsInAFolderOutliveTheTraining(@TempDir Path folder) throws IOException {
    double gamma = PowerFunction.ofSigmaRel(0.08).gamma();
    double mean = (gamma + 1) / (gamma + 2); // of a weight that rises from 0 to 1
    for (int stop : new int[] {350, 1_000}) {
      float[] weight = new float[1];
      ChooseWidthLater.train(
          ArrayBackend.adapter(),
          StateDict.builder(ArrayBackend.instance())
              .parameter("weight", ArrayTensor.of(weight, 1))
              .build(),
          folder,
          stop,
          trained -> weight[0] += 0.001f);
    }
    float[] released = new float[1];

    ChooseWidthLater.release(
        ArrayBackend.adapter(),
        StateDict.builder(ArrayBackend.instance())
            .parameter("weight", ArrayTensor.of(released, 1))
            .build(),
        folder,
        0.08);

    assertThat((double) released[0]).isCloseTo(mean, within(1e-3));
  }

  @Test
  void gradientsAreAveragedAsAdamsFirstMoment() {
    double[] gradient = {0};
    double[] weight = {1};
    double[] expected = {1, 0}; // the weight and the first moment
    AtomicInteger steps = new AtomicInteger();
    AverageGradients.train(
        StateDict.builder(ArrayBackend.instance())
            .parameter("weight", ArrayTensor.of(gradient, 1))
            .build(),
        50,
        () -> gradient[0] = 2 * weight[0],
        () -> {
          expected[1] = 0.9 * expected[1] + 0.1 * 2 * expected[0];
          expected[0] -= 0.1 * expected[1] / (1 - Math.pow(0.9, steps.incrementAndGet()));
          weight[0] -= 0.1 * gradient[0];
          assertThat(weight[0]).isCloseTo(expected[0], within(1e-13));
        });

    assertThat(steps).hasValue(50);
  }

  @Test
  void gradientsOfDjlAreAveragedInPlace() {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray weight = manager.create(new float[] {3, -2});
      weight.setRequiresGradient(true);
      backward(weight); // the first one makes the gradients' array
      AtomicInteger batch = new AtomicInteger();
      float[] averaged = {0, 0};
      NDArray gradients = weight.getGradient();
      AverageGradients.train(
          StateDict.builder(DjlAdapter.instance().backend()).parameter("weight", gradients).build(),
          3,
          () -> {
            gradients.set(new float[2]); // DJL adds to what is there
            weight.set(new float[] {batch.getAndIncrement(), 1});
            backward(weight);
          },
          () -> {
            float[] now = weight.getGradient().toFloatArray();
            averaged[0] = now[0];
            averaged[1] = now[1];
          });

      // Of w^2 at 0, 1, 2 and at 1, 1, 1; the weights are .81, .9, 1 in parts of their sum.
      assertThat((double) averaged[0]).isCloseTo((.9 * 2 + 4) / 2.71, within(1e-6));
      assertThat((double) averaged[1]).isCloseTo(2, within(1e-6));
    }
  }

  private static void backward(NDArray weight) {
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      collector.backward(weight.mul(weight).sum());
    }
  }

  @Test
  void switchEmaTrainsOnFromTheAverage() {
    double[] weight = {0};
    double[] expected = {0, 0}; // the weight and its average
    AtomicInteger steps = new AtomicInteger();
    SwitchEma.train(
        ArrayBackend.adapter(),
        StateDict.builder(ArrayBackend.instance())
            .parameter("weight", ArrayTensor.of(weight, 1))
            .build(),
        4,
        25,
        model -> {
          assertThat(weight[0]).isCloseTo(expected[0], within(1e-13));
          weight[0] += 0.1 * (1 - weight[0]);
          expected[0] += 0.1 * (1 - expected[0]);
          expected[1] = 0.99 * expected[1] + 0.01 * expected[0];
          if (steps.incrementAndGet() % 25 == 0) {
            expected[0] = expected[1];
          }
        });

    assertThat(steps).hasValue(100);
    assertThat(weight[0]).isCloseTo(expected[1], within(1e-13));
  }

  @Test
  void theHareIsCalledBackToTheTortoise() {
    double[] hare = {0};
    double[] expected = {0, 0}; // the hare and the tortoise
    AtomicInteger steps = new AtomicInteger();
    AtomicInteger evaluations = new AtomicInteger();
    HareAndTortoise.train(
        ArrayBackend.adapter(),
        StateDict.builder(ArrayBackend.instance())
            .parameter("weight", ArrayTensor.of(hare, 1))
            .build(),
        60,
        20,
        0.75,
        model -> {
          if (steps.get() > 0 && steps.get() % 20 == 0) {
            expected[0] = 0.25 * expected[0] + 0.75 * expected[1];
          }
          assertThat(hare[0]).isCloseTo(expected[0], within(1e-13));
          hare[0] += 0.1 * (1 - hare[0]);
          expected[0] += 0.1 * (1 - expected[0]);
          expected[1] = 0.999 * expected[1] + 0.001 * expected[0];
          steps.incrementAndGet();
        },
        model -> {
          assertThat(hare[0]).isCloseTo(expected[1], within(1e-13));
          evaluations.incrementAndGet();
        });

    assertThat(evaluations).hasValue(3);
  }

  @Test
  void djlTrainingEndsWithTheAveragedWeightsInTheModel() throws Exception {
    Map<String, float[]> averaged = weightsAfter(20);
    Map<String, float[]> start = weightsAfter(0);

    // At a decay of .999, twenty steps move the average by 2 % of the way from 0 to about 2.
    averaged.forEach(
        (name, weights) -> {
          float[] before = start.getOrDefault(name, new float[0]);
          assertThat(weights).hasSameSizeAs(before).isNotEqualTo(before);
          for (int i = 0; i < weights.length; i++) {
            assertThat((double) Math.abs(weights[i] - before[i])).isLessThan(0.05);
          }
        });
  }

  @Test
  void aLoopOfOnesOwnEndsWithTheAveragedWeightsToo() throws Exception {
    try (Model model = line();
        Model alike = line();
        Trainer trainer = alike.newTrainer(training())) {
      AddEmaToDjl.trainWithValidation(model, training(), INPUT, 1, data(model), data(model));
      trainer.initialize(INPUT);
      AddEmaToDjl.trainInALoop(trainer, data(alike));

      assertThat(weights(alike)).usingRecursiveComparison().isEqualTo(weights(model));
      assertThat(weights(alike).values()).allSatisfy(values -> assertThat(values[0]).isNotZero());
    }
  }

  @Test
  void theLossOfTheAverageIsThatOfTheWeightsItLeaves() throws Exception {
    try (Model model = line()) {
      float loss =
          AddEmaToDjl.trainWithValidation(model, training(), INPUT, 3, data(model), data(model))
              .get("L2Loss");

      float[] weight = weights(model).get("weight");
      float bias = weights(model).get("bias")[0];
      double expected = 0;
      for (int i = 0; i < LABELS.length; i++) {
        double output = weight[0] * INPUTS[2 * i] + weight[1] * INPUTS[2 * i + 1] + bias;
        expected += Math.pow(output - LABELS[i], 2) / 2 / LABELS.length;
      }
      assertThat((double) loss).isCloseTo(expected, within(1e-5));
    }
  }

  private static final Shape INPUT = new Shape(1, 2);
  private static final float[] INPUTS = {1, 0, 0, 1, 1, 1, 2, 1};
  private static final float[] LABELS = {3, 0, 2, 4};

  @Test
  void dl4jTrainingEndsWithTheAveragedWeightsInTheNetwork() {
    MultiLayerNetwork network =
        new MultiLayerNetwork(
            new NeuralNetConfiguration.Builder()
                .updater(new Sgd(0.1))
                .weightInit(WeightInit.ZERO)
                .list()
                .layer(
                    new OutputLayer.Builder(LossFunction.MSE)
                        .activation(Activation.IDENTITY)
                        .nIn(2)
                        .nOut(1)
                        .build())
                .build());
    network.init();
    DataSet lines =
        new DataSet(
            Nd4j.createFromArray(new float[][] {{1, 0}, {0, 1}, {1, 1}, {2, 1}}),
            Nd4j.createFromArray(new float[][] {{3}, {0}, {2}, {4}}));
    DataSetIterator data = new ListDataSetIterator<>(lines.asList(), 1);

    AddEmaToDl4j.train(network, 5, data, data);

    // As above: twenty steps at .999 move the average by 2 % of the way.
    for (float weight : network.params().toFloatVector()) {
      assertThat((double) Math.abs(weight)).isBetween(1e-4, 0.05);
    }
  }

  /** Trains y = 1 + 2a - b with steps of one example. */
  private static Map<String, float[]> weightsAfter(int steps) throws Exception {
    try (Model model = line()) {
      AddEmaToDjl.train(model, training(), INPUT, steps / 4, data(model), data(model));
      return weights(model);
    }
  }

  private static Model line() {
    Model model = Model.newInstance("line");
    model.setBlock(Linear.builder().setUnits(1).build());
    return model;
  }

  private static DefaultTrainingConfig training() {
    return new DefaultTrainingConfig(Loss.l2Loss())
        .optOptimizer(Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.1f)).build())
        .optInitializer(Initializer.ZEROS, parameter -> true);
  }

  private static ArrayDataset data(Model model) {
    return new ArrayDataset.Builder()
        .setData(model.getNDManager().create(INPUTS, new Shape(4, 2)))
        .optLabels(model.getNDManager().create(LABELS, new Shape(4, 1)))
        .setSampling(1, false)
        .build();
  }

  private static Map<String, float[]> weights(Model model) {
    Map<String, float[]> weights = new HashMap<>();
    model
        .getBlock()
        .getParameters()
        .forEach(entry -> weights.put(entry.getKey(), entry.getValue().getArray().toFloatArray()));
    return weights;
  }
}
