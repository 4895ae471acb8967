package io.github.ema4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.common.primitives.Doubles;
import com.google.common.primitives.Floats;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Swap;
import io.github.ema4j.torch.Nets.Net;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

@SuppressWarnings({
  "try",
  "unchecked"
}) // swaps and scopes are open for as long as they are not closed
class TorchTrainingTest {
  private static final double DECAY = 0.6;
  private static final int EPOCH = 8;
  private static final TorchAdapter<Net> ADAPTER = TorchAdapter.of(Net.class);

  private static ModelEma<Net> average(Net net) {
    return ModelEma.builder(ADAPTER)
        .strategy(EmaStrategy.nameMatched(DECAY))
        .module(Net::new)
        .build(net);
  }

  @Test
  void theAverageIsRightAfterEveryStepOfTwoEpochs() {
    Net net = Nets.seeded(1);
    SGD optimizer = Nets.optimizer(net);
    Map<String, double[]> expected = new LinkedHashMap<>();
    Nets.weights(net).forEach((name, values) -> expected.put(name, Doubles.toArray(values)));
    try (ModelEma<Net> ema = average(net)) {
      for (int step = 0; step < 2 * EPOCH; step++) {
        Map<String, List<Float>> before = Nets.weights(net);
        Nets.train(net, optimizer, step % EPOCH);
        ema.update(net);

        Map<String, List<Float>> weights = Nets.weights(net);
        assertThat(weights.get("first.weight")).isNotEqualTo(before.get("first.weight"));
        assertThat(weights.get("norm.running_var")).isNotEqualTo(before.get("norm.running_var"));
        recompute(expected, weights);
        Nets.values(ema.state())
            .forEach(
                (name, actual) ->
                    assertThat(Doubles.toArray(actual))
                        .as("%s", name)
                        .containsExactly(expected.get(name), within(1e-5)));
      }
      assertThat(ema.progress().updates()).isEqualTo(2 * EPOCH);
    }
  }

  private static void recompute(Map<String, double[]> averages, Map<String, List<Float>> weights) {
    averages.forEach(
        (name, average) -> {
          double decay = name.equals("norm.num_batches_tracked") ? 0 : DECAY;
          for (int i = 0; i < average.length; i++) {
            average[i] = decay * average[i] + (1 - decay) * weights.get(name).get(i);
          }
        });
  }

  /** Trains, and looks at the average in between; returns the weights after each step. */
  private static List<Map<String, List<Float>>> train(boolean swapping) {
    List<Map<String, List<Float>>> weights = new ArrayList<>();
    Net net = Nets.seeded(2);
    SGD optimizer = Nets.optimizer(net);
    try (ModelEma<Net> ema = average(net)) {
      for (int step = 0; step < 4; step++) {
        Nets.train(net, optimizer, step);
        ema.update(net);
        if (swapping) {
          Map<String, List<Float>> trained = Nets.weights(net);
          List<Float> raw = Nets.answers(net);
          try (Swap swap = ema.swapInto(net)) {
            assertThat(Nets.weights(net)).isEqualTo(Nets.values(ema.state()));
            assertThat(Nets.answers(net)).isEqualTo(Nets.answers(ema.module())).isNotEqualTo(raw);
          }
          assertThat(Nets.weights(net)).isEqualTo(trained);
        }
        weights.add(Nets.weights(net));
      }
    }
    return weights;
  }

  @Test
  void trainingGoesOnAfterASwapAsIfThereHadBeenNone() {
    assertThat(train(true)).isEqualTo(train(false));
  }

  /** Returns the gradient of the first weights, with or without a swap before it is computed. */
  private static List<Float> gradient(boolean swapping) {
    Net net = Nets.seeded(6);
    try (ModelEma<Net> ema = average(net)) {
      Nets.shift(net, 1);
      Tensor loss = net.forward(Nets.inputs(1)).square().sum();
      if (swapping) {
        ema.swapInto(net).close();
      }
      loss.backward();
      return Floats.asList(Nets.floats(net.first.weight().grad()));
    }
  }

  @Test
  void aSwapBetweenForwardAndBackwardLeavesTheGradientsAlone() {
    assertThat(gradient(true)).isEqualTo(gradient(false));
  }

  @Test
  void weightsComeBackWhenEvaluationThrows() {
    Net net = Nets.seeded(3);
    try (ModelEma<Net> ema = average(net)) {
      Nets.shift(net, 1);
      Map<String, List<Float>> trained = Nets.weights(net);
      assertThatThrownBy(
              () -> {
                try (Swap swap = ema.swapInto(net)) {
                  assertThat(Nets.weights(net)).isNotEqualTo(trained);
                  throw new IllegalArgumentException("evaluation");
                }
              })
          .hasMessage("evaluation");
      assertThat(Nets.weights(net)).isEqualTo(trained);
    }
  }

  @Test
  void aHalfPrecisionModelIsAveragedInFloat32() {
    for (ScalarType type : List.of(ScalarType.Half, ScalarType.BFloat16)) {
      Net net = Nets.seeded(4);
      net.to(type, false);
      try (ModelEma<Net> ema =
          ModelEma.builder(ADAPTER).strategy(EmaStrategy.nameMatched(0.999)).build(net)) {
        float start = Nets.weights(net).get("first.bias").get(0);
        Nets.shift(net, 1);
        float shifted = Nets.weights(net).get("first.bias").get(0);
        for (int step = 0; step < 1000; step++) {
          ema.update(net);
        }

        assertThat(ema.state().entries().get(1).spec().type()).isEqualTo(ElementType.F32);
        double left = Math.pow(0.999, 1000);
        assertThat((double) Nets.values(ema.state()).get("first.bias").get(0))
            .as("where an average in %s would have stalled", type)
            .isCloseTo(shifted + left * (start - shifted), within(1e-4));
        ema.copyTo(net);
        try (PointerScope scope = new PointerScope()) {
          assertThat(net.parameters().get(0).scalar_type().intern()).isEqualTo(type);
        }
      }
    }
  }

  @Test
  void averagesMadeAndUsedInScopesOutliveThem() {
    Net net = Nets.seeded(5);
    ModelEma<Net> ema;
    try (PointerScope batch = new PointerScope()) {
      ema = average(net);
      ema.update(net);
    }
    Nets.shift(net, 1);
    try (PointerScope batch = new PointerScope(Tensor.class)) {
      ema.update(net);
      ema.swapInto(net).close();
    }
    for (Entry<?> entry : ema.state().entries()) {
      assertThat(((Tensor) entry.tensor()).isNull()).isFalse();
    }
    ema.update(net);
    assertThat(ema.progress().updates()).isEqualTo(3);
    ema.close();
  }
}
