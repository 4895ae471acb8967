package io.github.ema4j;

import static io.github.ema4j.Models.dict;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Averages that training itself uses: of gradients, and as where the weights go back to. */
class AverageInTheLoopTest {
  private static final int SIZE = 37;
  private static final int STEPS = 200;

  private final double[] live = new double[SIZE];
  private final StateDict<ArrayTensor> tensors =
      dict().parameter("all", ArrayTensor.of(live, SIZE)).build();

  @ParameterizedTest(name = "decay {0}")
  @ValueSource(doubles = {0, 0.5, 0.9, 0.999})
  void averagedGradientsAreAdamsFirstMoment(double decay) {
    Random random = new Random(61);
    double[] moment = new double[SIZE];
    DecaySchedule debiased = DecaySchedule.constant(decay).zeroDebiased();
    try (var average = averaging(debiased).build(tensors)) {
      for (int step = 1; step <= STEPS; step++) {
        fillWithNoise(live, random);
        double[] gradients = live.clone();
        average.update(tensors);
        average.copyTo(tensors);
        for (int i = 0; i < SIZE; i++) {
          moment[i] = decay * moment[i] + (1 - decay) * gradients[i];
          double corrected = moment[i] / (1 - Math.pow(decay, step));
          assertThat(live[i]).as("seed 61, step %d", step).isCloseTo(corrected, within(1e-12));
        }
      }
    }
  }

  /** Heavy-ball momentum with dampening: the velocity is the average of the gradients. */
  @Test
  void descentAlongAveragedGradientsIsDescentWithMomentum() {
    double[] weights = {3, -2};
    double[] velocity = {0, 0};
    double[] expected = weights.clone();
    double[] gradients = {0, 0};
    StateDict<ArrayTensor> dict =
        dict().parameter("gradients", ArrayTensor.of(gradients, 2)).build();
    try (var average = averaging(DecaySchedule.constant(0.9)).build(dict)) {
      for (int step = 0; step < STEPS; step++) {
        gradients[0] = 4 * weights[0];
        gradients[1] = weights[1];
        average.update(dict);
        average.copyTo(dict);
        for (int i = 0; i < 2; i++) {
          weights[i] -= 0.1 * gradients[i];
          velocity[i] = 0.9 * velocity[i] + 0.1 * (i == 0 ? 4 : 1) * expected[i];
          expected[i] -= 0.1 * velocity[i];
          assertThat(weights[i]).as("step %d", step).isCloseTo(expected[i], within(1e-13));
        }
      }
      assertThat(weights[0]).isCloseTo(0, within(0.02));
    }
  }

  /** With a factor of 1 it is Switch EMA, below it a part of the way. */
  @ParameterizedTest(name = "by {1} every {0} steps at decay {2}")
  @CsvSource({"10, 1, 0.9", "1, 1, 0.5", "7, 0.5, 0.99", "3, 0.1, 0.9", "5, 0, 0.9"})
  void weightsThatGoBackToTheirAverageGoOnFromThere(int period, double factor, double decay) {
    Random random = new Random(67);
    double[] noise = new double[SIZE];
    double[] weights = new double[SIZE];
    double[] averages = new double[SIZE];
    try (var average = averaging(DecaySchedule.constant(decay)).build(tensors)) {
      for (int step = 1; step <= STEPS; step++) {
        fillWithNoise(noise, random);
        for (int i = 0; i < SIZE; i++) {
          live[i] += noise[i] - 0.01 * live[i];
          weights[i] += noise[i] - 0.01 * weights[i];
          averages[i] = decay * averages[i] + (1 - decay) * weights[i];
          if (step % period == 0) {
            weights[i] = (1 - factor) * weights[i] + factor * averages[i];
          }
        }
        average.update(tensors);
        if (step % period == 0) {
          average.copyTo(tensors, factor);
        }
        assertThat(live).as("seed 67, step %d", step).containsExactly(weights, within(1e-12));
      }
    }
  }

  private static ModelEma.Builder<StateDict<ArrayTensor>> averaging(DecaySchedule schedule) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0).scheduled(schedule));
  }

  private static void fillWithNoise(double[] values, Random random) {
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextGaussian();
    }
  }
}
