package io.github.ema4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.api.layers.LayerConstraint;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.WorkspaceMode;
import org.deeplearning4j.nn.conf.constraint.BaseConstraint;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.constraint.MinMaxNormConstraint;
import org.deeplearning4j.nn.conf.constraint.NonNegativeConstraint;
import org.deeplearning4j.nn.conf.constraint.UnitNormConstraint;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;

@SuppressWarnings("try") // swaps are open for as long as they are not closed
class EmaListenerTest {
  private static final double DECAY = 0.6;

  private static ModelEma.Builder<MultiLayerNetwork> average() {
    return ModelEma.builder(Dl4jAdapter.multiLayer()).strategy(EmaStrategy.nameMatched(DECAY));
  }

  private static ModelEma.Builder<ComputationGraph> graphAverage() {
    return ModelEma.builder(Dl4jAdapter.graph()).strategy(EmaStrategy.nameMatched(DECAY));
  }

  /** Averages weights in double, beside the listener. */
  private static final class Oracle {
    private final Map<String, double[]> expected = new LinkedHashMap<>();

    Oracle(Map<String, float[]> start) {
      start.forEach((name, values) -> expected.put(name, Nets.doubles(values)));
    }

    void step(Map<String, float[]> weights) {
      expected.forEach(
          (name, average) -> {
            for (int i = 0; i < average.length; i++) {
              average[i] = DECAY * average[i] + (1 - DECAY) * weights.get(name)[i];
            }
          });
    }

    void assertAgrees(ModelEma<?> ema) {
      Map<String, float[]> actual = Nets.values(ema.state());
      assertThat(actual.keySet()).isEqualTo(expected.keySet());
      actual.forEach(
          (name, values) ->
              assertThat(Nets.doubles(values))
                  .as(name)
                  .containsExactly(expected.get(name), within(1e-5)));
    }
  }

  static Stream<List<LayerConstraint>> constraints() {
    return Stream.of(
        List.of(),
        List.of(new MaxNormConstraint(0.4, 1)),
        List.of(new MinMaxNormConstraint(0.3, 0.5, 0.7, 1)),
        List.of(new NonNegativeConstraint()),
        List.of(new UnitNormConstraint(1)),
        List.of(new NonNegativeConstraint(), new MaxNormConstraint(0.4, 1)));
  }

  private static NeuralNetConfiguration.Builder constrained(List<LayerConstraint> constraints) {
    NeuralNetConfiguration.Builder configuration = Nets.configuration(5);
    return constraints.isEmpty()
        ? configuration
        : configuration.constrainWeights(constraints.toArray(LayerConstraint[]::new));
  }

  /** Trains on single batches for two epochs, looking after each: what fit leaves is averaged. */
  @ParameterizedTest
  @MethodSource("constraints")
  void followsEveryStepOfSingleBatches(List<LayerConstraint> constraints) {
    MultiLayerNetwork network = Nets.network(constrained(constraints));
    try (EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average())) {
      network.addListeners(listener);
      Oracle oracle = new Oracle(Nets.weights(network));
      for (int epoch = 0; epoch < 2; epoch++) {
        for (DataSet batch : Nets.images()) {
          network.fit(batch);
          oracle.step(Nets.weights(network));
          oracle.assertAgrees(listener.ema());
        }
      }
      assertThat(listener.ema().progress().updates()).isEqualTo(8);
    }
  }

  @ParameterizedTest
  @MethodSource("constraints")
  void followsEveryStepOfAGraph(List<LayerConstraint> constraints) {
    ComputationGraph graph = Nets.graph(constrained(constraints));
    try (EmaListener<ComputationGraph> listener = new EmaListener<>(graph, graphAverage())) {
      graph.addListeners(listener);
      Oracle oracle = new Oracle(Nets.weights(graph));
      for (int epoch = 0; epoch < 2; epoch++) {
        for (DataSet batch : Nets.images()) {
          graph.fit(batch);
          oracle.step(Nets.weights(graph));
          oracle.assertAgrees(listener.ema());
        }
      }
    }
  }

  /** Keeps the weights that the forward pass of each step starts from: those of the step before. */
  private static final class Recorder extends BaseTrainingListener {
    final List<Map<String, float[]>> steps = new ArrayList<>();

    @Override
    public void onForwardPass(Model model, List<INDArray> activations) {
      steps.add(Nets.weights(model));
    }

    @Override
    public void onForwardPass(Model model, Map<String, INDArray> activations) {
      steps.add(Nets.weights(model));
    }

    @Override
    public void onEpochEnd(Model model) {
      steps.add(Nets.weights(model));
    }

    void average(Oracle oracle, int epochs) {
      assertThat(steps).hasSize(epochs * (Nets.BATCHES + 1));
      for (int i = 0; i < steps.size(); i++) {
        if (i % (Nets.BATCHES + 1)
            != 0) { // the first of an epoch repeats the end of the one before
          oracle.step(steps.get(i));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("constraints")
  void followsEveryStepOfAnIterator(List<LayerConstraint> constraints) {
    MultiLayerNetwork network = Nets.network(constrained(constraints));
    Recorder recorder = new Recorder();
    try (EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average())) {
      network.setListeners(listener, recorder);
      Oracle oracle = new Oracle(Nets.weights(network));
      network.fit(Nets.iterator(Nets.images()), 2);
      recorder.average(oracle, 2);
      oracle.assertAgrees(listener.ema());
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = WorkspaceMode.class,
      names = {"ENABLED", "NONE"})
  void followsEveryStepInAndOutOfWorkspaces(WorkspaceMode mode) {
    ComputationGraph graph =
        Nets.graph(
            constrained(List.of(new UnitNormConstraint(1)))
                .trainingWorkspaceMode(mode)
                .inferenceWorkspaceMode(mode));
    Recorder recorder = new Recorder();
    try (EmaListener<ComputationGraph> listener = new EmaListener<>(graph, graphAverage())) {
      graph.setListeners(listener, recorder);
      Oracle oracle = new Oracle(Nets.weights(graph));
      graph.fit(Nets.iterator(Nets.images()), 2);
      recorder.average(oracle, 2);
      oracle.assertAgrees(listener.ema());
    }
  }

  @Test
  void dl4jCallsListenersBeforeItsConstraints() {
    MultiLayerNetwork network = Nets.network(constrained(List.of(new UnitNormConstraint(1))));
    List<Map<String, float[]>> seen = new ArrayList<>();
    network.addListeners(
        new BaseTrainingListener() {
          @Override
          public void iterationDone(Model model, int iteration, int epoch) {
            seen.add(Nets.weights(model));
          }
        });
    network.fit(Nets.images().get(0));
    assertThat(seen).hasSize(1);
    assertThat(seen.get(0).get("2_W")).isNotEqualTo(Nets.weights(network).get("2_W"));
  }

  /** Trains, with or without a listener and looks at the average, and returns all weights. */
  private static List<Map<String, float[]>> train(
      List<LayerConstraint> constraints, boolean averaging) {
    List<Map<String, float[]>> weights = new ArrayList<>();
    MultiLayerNetwork network = Nets.network(constrained(constraints));
    INDArray inputs = Nets.images().get(1).getFeatures();
    try (EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average())) {
      if (averaging) {
        network.addListeners(listener);
      }
      for (DataSet batch : Nets.images()) {
        network.fit(batch);
        if (averaging) {
          Map<String, float[]> trained = Nets.weights(network);
          try (Swap swap = listener.ema().swapInto(network)) {
            assertThat(Nets.weights(network))
                .usingRecursiveComparison()
                .isEqualTo(Nets.values(listener.ema().state()));
            assertThat(network.output(inputs).data().asFloat())
                .isEqualTo(listener.ema().module().output(inputs).data().asFloat());
          }
          assertThat(Nets.weights(network)).usingRecursiveComparison().isEqualTo(trained);
        }
        weights.add(Nets.weights(network));
      }
    }
    return weights;
  }

  @ParameterizedTest
  @MethodSource("constraints")
  void trainingGoesOnAfterASwapAsIfThereHadBeenNone(List<LayerConstraint> constraints) {
    assertThat(train(constraints, true))
        .usingRecursiveComparison()
        .isEqualTo(train(constraints, false));
  }

  /** A constraint of the user's own. */
  @SuppressWarnings("serial") // is not serialised
  public static final class Halving extends BaseConstraint {
    @Override
    public void apply(INDArray param) {
      param.muli(0.5);
    }

    @Override
    public Halving clone() {
      return new Halving();
    }
  }

  @Test
  void refusesConstraintsThatItDoesNotKnow() {
    MultiLayerNetwork network = Nets.network(constrained(List.of(new Halving())));
    assertThatThrownBy(() -> new EmaListener<>(network, average()))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("Halving")
        .hasMessageContaining("ema.update(network) after each network.fit(batch)");
    try (ModelEma<MultiLayerNetwork> ema = average().build(network)) {
      Oracle oracle = new Oracle(Nets.weights(network));
      for (DataSet batch : Nets.images()) {
        network.fit(batch);
        ema.update(network);
        oracle.step(Nets.weights(network));
      }
      oracle.assertAgrees(ema);
    }
  }

  @Test
  void doesNotTrainDuringASwap() {
    MultiLayerNetwork network = Nets.network(5);
    try (EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average())) {
      network.addListeners(listener);
      DataSet batch = Nets.images().get(0);
      network.fit(batch);
      try (Swap swap = listener.ema().swapInto(network)) {
        Map<String, float[]> averaged = Nets.weights(network);
        assertThatThrownBy(() -> network.fit(batch))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("close the swap");
        assertThatThrownBy(() -> network.fit(Nets.iterator(Nets.images())))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("close the swap");
        assertThat(Nets.weights(network)).usingRecursiveComparison().isEqualTo(averaged);
      }
      network.fit(batch);
      assertThat(listener.ema().progress().updates()).isEqualTo(2);
    }
  }

  @Test
  void doesNotAverageAnotherNetwork() {
    MultiLayerNetwork network = Nets.network(5);
    MultiLayerNetwork replica = network.clone();
    try (EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average())) {
      replica.addListeners(listener);
      Map<String, float[]> before = Nets.weights(replica);
      assertThatThrownBy(() -> replica.fit(Nets.images().get(0)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("replica of ParallelWrapper");
      assertThat(Nets.weights(replica)).usingRecursiveComparison().isEqualTo(before);
      assertThat(listener.ema().progress().updates()).isZero();
    }
  }

  @Test
  void weightsComeBackWhenTheUpdateFails() {
    MultiLayerNetwork network = Nets.network(constrained(List.of(new NonNegativeConstraint())));
    EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average());
    Layer layer = network.getLayer(2);
    layer.getParam("b").putScalar(0, Float.NaN);
    layer.getParam("W").assign(-1);
    Map<String, float[]> before = Nets.weights(network);
    assertThatThrownBy(() -> listener.iterationDone(network, 0, 0))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("'2_b' of the model has NaN");
    Nets.weights(network).forEach((name, values) -> assertThat(values).isEqualTo(before.get(name)));
    listener.close();
  }

  @Test
  void aClosedListenerStopsTheTraining() {
    MultiLayerNetwork network = Nets.network(5);
    EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average());
    network.addListeners(listener);
    listener.close();
    listener.close();
    assertThatThrownBy(() -> network.fit(Nets.images().get(0)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the average is closed");
  }
}
