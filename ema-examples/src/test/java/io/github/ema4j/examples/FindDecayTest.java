package io.github.ema4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.Advice;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FindDecayTest {

  @Test
  void ofNoiseAroundAPointTheLongestMemoryIsBest() {
    float[] weight = new float[1];
    Random random = new Random(9);
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("weight", ArrayTensor.of(weight, 1))
            .build();

    Advice advice =
        FindDecay.advice(
            ArrayBackend.adapter(),
            model,
            60,
            100,
            trained -> weight[0] = 3 + (float) random.nextGaussian(),
            averaged -> -Math.pow(weight[0] - 3, 2));

    assertThat(advice.decay()).isEqualTo(0.9997);
    assertThat(advice.updates()).isEqualTo(6_000);
  }
}
