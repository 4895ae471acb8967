package io.github.ema4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.initializer.Initializer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.schedule.PowerFunction;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

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

  /** Trains y = 1 + 2a - b with steps of one example. */
  private static Map<String, float[]> weightsAfter(int steps) throws Exception {
    try (Model model = Model.newInstance("line");
        NDManager manager = NDManager.newBaseManager()) {
      model.setBlock(Linear.builder().setUnits(1).build());
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(Loss.l2Loss())
              .optOptimizer(Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.1f)).build())
              .optInitializer(Initializer.ZEROS, parameter -> true);
      NDArray inputs = manager.create(new float[] {1, 0, 0, 1, 1, 1, 2, 1}, new Shape(4, 2));
      NDArray labels = manager.create(new float[] {3, 0, 2, 4}, new Shape(4, 1));
      ArrayDataset data =
          new ArrayDataset.Builder()
              .setData(inputs)
              .optLabels(labels)
              .setSampling(1, false)
              .build();
      AddEmaToDjl.train(model, config, new Shape(1, 2), steps / 4, data, data);
      Map<String, float[]> weights = new HashMap<>();
      model
          .getBlock()
          .getParameters()
          .forEach(
              entry -> weights.put(entry.getKey(), entry.getValue().getArray().toFloatArray()));
      return weights;
    }
  }
}
