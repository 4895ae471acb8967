package io.github.ema4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Swap;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.array.ThreadSafeArrayHolder;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.factory.Nd4j;

@SuppressWarnings("try") // swaps are open for as long as they are not closed
class SameDiffTest {
  private static final double DECAY = 0.6;
  private static final SameDiffAdapter ADAPTER = SameDiffAdapter.instance();

  private static ModelEma.Builder<SameDiff> average() {
    return ModelEma.builder(ADAPTER).strategy(EmaStrategy.nameMatched(DECAY));
  }

  private static List<DataSet> data() {
    return Nets.batches(Nets.SIDE * Nets.SIDE);
  }

  private static Map<String, float[]> weights(SameDiff graph) {
    return Nets.values(ADAPTER.stateDict(graph));
  }

  private static float[] answers(SameDiff graph) {
    Map<String, INDArray> inputs = Map.of("input", data().get(1).getFeatures());
    return graph.output(inputs, "logits").get("logits").data().asFloat();
  }

  /** Keeps the weights after each step. */
  private static final class Recorder extends BaseListener {
    final SameDiff graph;
    final List<Map<String, float[]>> steps = new ArrayList<>();

    Recorder(SameDiff graph) {
      this.graph = graph;
    }

    @Override
    public boolean isActive(Operation operation) {
      return true;
    }

    @Override
    public void iterationDone(SameDiff trained, At at, MultiDataSet dataSet, Loss loss) {
      steps.add(weights(graph));
    }
  }

  @Test
  void listsVariablesAndFloatingConstants() {
    SameDiff graph = Nets.sameDiff(1);
    graph.constant("axis", Nd4j.scalar(1));
    StateDict<INDArray> dict = ADAPTER.stateDict(graph);
    Map<String, Role> roles = new LinkedHashMap<>();
    dict.entries().forEach(entry -> roles.put(entry.name(), entry.role()));
    assertThat(roles)
        .containsOnly(
            Map.entry("weight", Role.PARAMETER),
            Map.entry("bias", Role.PARAMETER),
            Map.entry("scale", Role.FROZEN),
            Map.entry("sd_var", Role.FROZEN)); // the weight of each label in the loss
    graph.getVariable("weight").getArr().assign(4);
    assertThat(Nets.values(dict).get("weight")).containsOnly(4);
  }

  @Test
  void followsEveryStep() {
    SameDiff graph = Nets.sameDiff(1);
    Recorder recorder = new Recorder(graph);
    try (SameDiffEmaListener listener = new SameDiffEmaListener(graph, average())) {
      graph.setListeners(listener, recorder);
      Map<String, double[]> expected = new LinkedHashMap<>();
      weights(graph).forEach((name, values) -> expected.put(name, Nets.doubles(values)));
      graph.fit(Nets.iterator(data()), 2);

      assertThat(recorder.steps).hasSize(8);
      assertThat(listener.ema().progress().updates()).isEqualTo(8);
      for (Map<String, float[]> step : recorder.steps) {
        expected.forEach(
            (name, values) -> {
              for (int i = 0; i < values.length; i++) {
                values[i] = DECAY * values[i] + (1 - DECAY) * step.get(name)[i];
              }
            });
      }
      Nets.values(listener.ema().state())
          .forEach(
              (name, values) ->
                  assertThat(Nets.doubles(values))
                      .as(name)
                      .containsExactly(expected.get(name), within(1e-5)));
      assertThat(recorder.steps.get(7).get("weight"))
          .isEqualTo(weights(graph).get("weight"))
          .isNotEqualTo(recorder.steps.get(6).get("weight"));
    }
  }

  private static List<Map<String, float[]>> train(boolean averaging) {
    List<Map<String, float[]>> weights = new ArrayList<>();
    SameDiff graph = Nets.sameDiff(1);
    try (SameDiffEmaListener listener = new SameDiffEmaListener(graph, average())) {
      if (averaging) {
        graph.addListeners(listener);
      }
      for (DataSet batch : data()) {
        graph.fit(batch);
        if (averaging) {
          Map<String, float[]> trained = weights(graph);
          try (Swap swap = listener.ema().swapInto(graph)) {
            assertThat(weights(graph))
                .usingRecursiveComparison()
                .isEqualTo(Nets.values(listener.ema().state()));
            assertThat(weights(graph).get("weight")).isNotEqualTo(trained.get("weight"));
            assertThat(answers(graph)).isEqualTo(answers(listener.ema().module()));
          }
          assertThat(weights(graph)).usingRecursiveComparison().isEqualTo(trained);
        }
        weights.add(weights(graph));
      }
    }
    return weights;
  }

  @Test
  void trainingGoesOnAfterASwapAsIfThereHadBeenNone() {
    assertThat(train(true)).usingRecursiveComparison().isEqualTo(train(false));
  }

  @Test
  void doesNotTrainDuringASwap() {
    SameDiff graph = Nets.sameDiff(1);
    try (SameDiffEmaListener listener = new SameDiffEmaListener(graph, average())) {
      graph.addListeners(listener);
      graph.fit(data().get(0));
      try (Swap swap = listener.ema().swapInto(graph)) {
        Map<String, float[]> averaged = weights(graph);
        assertThatThrownBy(() -> graph.fit(data().get(0)))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("close the swap");
        assertThat(weights(graph)).usingRecursiveComparison().isEqualTo(averaged);
      }
      graph.fit(data().get(0));
      assertThat(listener.ema().progress().updates()).isEqualTo(2);
    }
  }

  @Test
  void doesNotAverageAnotherGraph() {
    SameDiff graph = Nets.sameDiff(1);
    SameDiff other = Nets.sameDiff(1);
    try (SameDiffEmaListener listener = new SameDiffEmaListener(graph, average())) {
      other.addListeners(listener);
      Map<String, float[]> before = weights(other);
      assertThatThrownBy(() -> other.fit(data().get(0)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("give each graph a listener of its own");
      assertThat(weights(other)).usingRecursiveComparison().isEqualTo(before);
      assertThat(listener.ema().progress().updates()).isZero();
    }
  }

  @Test
  void goesOnWhenAVariableIsFrozen() {
    SameDiff graph = Nets.sameDiff(1);
    try (SameDiffEmaListener listener = new SameDiffEmaListener(graph, average())) {
      graph.addListeners(listener);
      graph.fit(data().get(0));
      graph.getVariable("weight").convertToConstant();
      float[] frozen = weights(graph).get("weight");
      graph.fit(data().get(1));
      assertThat(weights(graph).get("weight")).isEqualTo(frozen);
      assertThat(listener.ema().progress().updates()).isEqualTo(2);
    }
  }

  @Test
  void saysWhichVariableHasNoArray() {
    SameDiff graph = Nets.sameDiff(1);
    graph.setArrayHolders(new ThreadSafeArrayHolder(true), new ThreadSafeArrayHolder(true), false);
    assertThatThrownBy(() -> ADAPTER.stateDict(graph))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("variable 'bias' has no array yet");
  }

  @Test
  void releasesWhatItCopied() {
    SameDiff graph = Nets.sameDiff(1);
    SameDiff copy = ADAPTER.copy(graph);
    assertThat(answers(copy)).isEqualTo(answers(graph));
    assertThat(ADAPTER.stateDict(copy).entries().stream().map(Entry::name))
        .containsExactlyElementsOf(
            ADAPTER.stateDict(graph).entries().stream().map(Entry::name).toList());
    List<INDArray> arrays = ADAPTER.stateDict(copy).entries().stream().map(Entry::tensor).toList();
    ADAPTER.releaseCopy(copy);
    assertThat(arrays).allSatisfy(array -> assertThat(array.wasClosed()).isTrue());
    assertThat(answers(graph)).hasSize(Nets.BATCH * Nets.CLASSES);
  }
}
