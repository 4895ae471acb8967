package io.github.ema4j.report;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.Swap;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.Random;

/** A noisy descent to a point, with an average beside it. */
final class SampleTraining {
  private final Random random;
  private final float[] weight = {4, -3, 2};
  private final float[] bias = {1};
  private final StateDict<ArrayTensor> model =
      StateDict.builder(ArrayBackend.instance())
          .parameter("layer.weight", ArrayTensor.of(weight, 3))
          .parameter("layer<bias>", ArrayTensor.of(bias, 1))
          .build();

  private SampleTraining(long seed) {
    random = new Random(seed);
  }

  /** Trains, tells the report, and closes the average, which writes the report. */
  @SuppressWarnings("try") // the swap is open for as long as it is not closed
  static void run(EmaReport report, int epochs, int steps) {
    SampleTraining training = new SampleTraining(5);
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(0).scheduled(DecaySchedule.inversePowerWarmup(0.99)))
            .listener(report)
            .build(training.model)) {
      for (int epoch = 0; epoch < epochs; epoch++) {
        for (int step = 0; step < steps; step++) {
          report.loss(training.step());
          ema.update(training.model);
        }
        double raw = training.score();
        try (Swap swap = ema.swapInto(training.model)) {
          report.evaluated("accuracy", raw, training.score());
        }
      }
    }
  }

  /** Returns the loss before the step. */
  private double step() {
    double loss = distance();
    for (int i = 0; i < weight.length; i++) {
      weight[i] -= 0.05f * (weight[i] - 1) + 0.1f * (float) random.nextGaussian();
    }
    bias[0] -= 0.05f * (bias[0] - 1) + 0.1f * (float) random.nextGaussian();
    return loss;
  }

  private double score() {
    return 1 / (1 + distance());
  }

  private double distance() {
    double sum = Math.pow(bias[0] - 1, 2);
    for (float each : weight) {
      sum += Math.pow(each - 1, 2);
    }
    return sum;
  }
}
