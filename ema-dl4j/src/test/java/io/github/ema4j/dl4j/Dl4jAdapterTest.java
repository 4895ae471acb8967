package io.github.ema4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.CenterLossOutputLayer;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.misc.FrozenLayerWithBackprop;
import org.deeplearning4j.nn.conf.layers.recurrent.Bidirectional;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.transferlearning.TransferLearning;
import org.deeplearning4j.optimize.listeners.ScoreIterationListener;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

@SuppressWarnings("try") // workspaces are open for as long as they are not closed
class Dl4jAdapterTest {
  private static final Dl4jAdapter<MultiLayerNetwork> LAYERS = Dl4jAdapter.multiLayer();
  private static final Dl4jAdapter<ComputationGraph> GRAPH = Dl4jAdapter.graph();

  private static Map<String, Role> roles(StateDict<INDArray> dict) {
    Map<String, Role> roles = new LinkedHashMap<>();
    dict.entries().forEach(entry -> roles.put(entry.name(), entry.role()));
    return roles;
  }

  private static List<INDArray> tensors(StateDict<INDArray> dict) {
    return dict.entries().stream().map(Entry::tensor).toList();
  }

  @Test
  void listsTheArraysOfTheParamTableLive() {
    MultiLayerNetwork network = Nets.network(1);
    StateDict<INDArray> dict = LAYERS.stateDict(network);
    assertThat(roles(dict).keySet()).containsExactlyElementsOf(network.paramTable().keySet());
    network.params().assign(3);
    assertThat(dict.entries().get(2).tensor().getFloat(0)).isEqualTo(3);

    ComputationGraph graph = Nets.graph(1);
    StateDict<INDArray> graphDict = GRAPH.stateDict(graph);
    assertThat(roles(graphDict).keySet()).containsExactlyElementsOf(graph.paramTable().keySet());
    graph.params().assign(3);
    assertThat(graphDict.entries().get(2).tensor().getFloat(0)).isEqualTo(3);
  }

  @Test
  void tellsStatisticsFromParameters() {
    assertThat(roles(LAYERS.stateDict(Nets.network(1))))
        .containsEntry("1_gamma", Role.PARAMETER)
        .containsEntry("1_mean", Role.STATISTIC)
        .containsEntry("1_var", Role.STATISTIC)
        .containsEntry("3_W", Role.PARAMETER);
    assertThat(roles(GRAPH.stateDict(Nets.graph(1))))
        .containsEntry("norm_beta", Role.PARAMETER)
        .containsEntry("norm_mean", Role.STATISTIC)
        .containsEntry("norm_log10stdev", Role.STATISTIC)
        .containsEntry("conv_b", Role.PARAMETER);
  }

  @Test
  void tellsTheCentersOfACenterLoss() {
    MultiLayerNetwork network =
        new MultiLayerNetwork(
            Nets.configuration(1)
                .list()
                .layer(new DenseLayer.Builder().nIn(4).nOut(5).build())
                .layer(
                    new CenterLossOutputLayer.Builder(LossFunction.MCXENT)
                        .activation(Activation.SOFTMAX)
                        .nIn(5)
                        .nOut(3)
                        .build())
                .build());
    network.init();
    assertThat(roles(LAYERS.stateDict(network)))
        .containsEntry("1_cL", Role.STATISTIC)
        .containsEntry("1_W", Role.PARAMETER);
  }

  @Test
  void tellsWhatTransferLearningFroze() {
    MultiLayerNetwork network =
        new TransferLearning.Builder(Nets.network(1)).setFeatureExtractor(1).build();
    assertThat(roles(LAYERS.stateDict(network)))
        .containsEntry("0_W", Role.FROZEN)
        .containsEntry("1_gamma", Role.FROZEN)
        .containsEntry("1_mean", Role.STATISTIC)
        .containsEntry("2_W", Role.PARAMETER);
    ComputationGraph graph =
        new TransferLearning.GraphBuilder(Nets.graph(1)).setFeatureExtractor("conv").build();
    assertThat(roles(GRAPH.stateDict(graph)))
        .containsEntry("conv_W", Role.FROZEN)
        .containsEntry("dense_W", Role.PARAMETER);
  }

  @Test
  void copiesFrozenNetworksUnderTheSameNames() {
    MultiLayerNetwork network =
        new TransferLearning.Builder(Nets.network(1)).setFeatureExtractor(1).build();
    MultiLayerNetwork copy = LAYERS.copy(network);
    assertThat(roles(LAYERS.stateDict(copy))).isEqualTo(roles(LAYERS.stateDict(network)));
    LAYERS.releaseCopy(copy);

    ComputationGraph graph =
        new TransferLearning.GraphBuilder(Nets.graph(1)).setFeatureExtractor("conv").build();
    ComputationGraph graphCopy = GRAPH.copy(graph);
    assertThat(roles(GRAPH.stateDict(graphCopy))).isEqualTo(roles(GRAPH.stateDict(graph)));
    GRAPH.releaseCopy(graphCopy);
  }

  @Test
  void frozenLayersDoNotMoveAndAreFollowedWhenTheyAreReplaced() {
    MultiLayerNetwork network =
        new TransferLearning.Builder(Nets.network(1)).setFeatureExtractor(1).build();
    StateDict<INDArray> dict = LAYERS.stateDict(network);
    float[] frozen = network.getParam("0_W").dup('c').data().asFloat();
    network.fit(Nets.images().get(0));
    assertThat(network.getParam("0_W").dup('c').data().asFloat()).isEqualTo(frozen);
    assertThat(dict.refresh()).isFalse();
  }

  @Test
  void tellsFrozenLayersWithBackpropAndListsWrappedOnes() {
    MultiLayerNetwork network =
        new MultiLayerNetwork(
            Nets.configuration(1)
                .list()
                .layer(new FrozenLayerWithBackprop(new DenseLayer.Builder().nIn(4).nOut(5).build()))
                .layer(new Bidirectional(new LSTM.Builder().nIn(5).nOut(2).build()))
                .layer(
                    new RnnOutputLayer.Builder(LossFunction.MSE)
                        .activation(Activation.IDENTITY)
                        .nIn(4)
                        .nOut(1)
                        .build())
                .setInputType(InputType.recurrent(4))
                .build());
    network.init();
    StateDict<INDArray> dict = LAYERS.stateDict(network);
    assertThat(roles(dict))
        .containsEntry("0_W", Role.FROZEN)
        .containsEntry("1_fW", Role.PARAMETER)
        .containsEntry("1_bRW", Role.PARAMETER);
    assertThat(roles(dict).keySet()).containsExactlyElementsOf(network.paramTable().keySet());
  }

  @Test
  void trainingAndSettingWeightsMoveNoArray() {
    MultiLayerNetwork network = Nets.network(1);
    StateDict<INDArray> dict = LAYERS.stateDict(network);
    network.fit(Nets.images().get(0));
    network.setParams(network.params().dup());
    network.setParam("2_W", network.getParam("2_W").dup());
    assertThat(dict.refresh()).isFalse();

    ComputationGraph graph = Nets.graph(1);
    StateDict<INDArray> graphDict = GRAPH.stateDict(graph);
    graph.fit(Nets.images().get(0));
    graph.setParams(graph.params().dup());
    assertThat(graphDict.refresh()).isFalse();
  }

  @Test
  void copiesWeightsAndNothingThatIsShared() {
    ComputationGraph graph = Nets.graph(1);
    graph.setListeners(new ScoreIterationListener(1000));
    graph.fit(Nets.images().get(0));
    INDArray inputs = Nets.images().get(1).getFeatures();
    INDArray answers = graph.outputSingle(inputs);

    ComputationGraph copy = GRAPH.copy(graph);
    assertThat(copy.getUpdater(false)).isNull();
    assertThat(copy.outputSingle(inputs)).isEqualTo(answers);
    graph.params().assign(0);
    assertThat(copy.outputSingle(inputs)).isEqualTo(answers);
    List<INDArray> arrays = tensors(GRAPH.stateDict(copy));
    GRAPH.releaseCopy(copy);

    assertThat(arrays).allSatisfy(array -> assertThat(array.wasClosed()).isTrue());
    assertThat(graph.params().wasClosed()).isFalse();
    assertThat(graph.getListeners()).hasSize(1);
  }

  @Test
  void copyingLeavesTheOptimiserAlone() {
    MultiLayerNetwork network = Nets.network(1);
    network.fit(Nets.images().get(0));
    INDArray state = network.getUpdater().getStateViewArray();
    float[] values = state.dup().data().asFloat();
    MultiLayerNetwork copy = LAYERS.copy(network);
    assertThat(copy.getUpdater(false)).isNull();
    LAYERS.releaseCopy(copy);
    assertThat(network.getUpdater().getStateViewArray()).isSameAs(state);
    assertThat(state.data().asFloat()).isEqualTo(values);
  }

  @Test
  void releasingACopyLeavesWorkspacesOpen() {
    MultiLayerNetwork network = Nets.network(1);
    try (MemoryWorkspace workspace =
        Nd4j.getWorkspaceManager().getAndActivateWorkspace("ema4j test")) {
      INDArray array = Nd4j.create(DataType.FLOAT, 3).assign(2);
      MultiLayerNetwork copy = LAYERS.copy(network);
      assertThat(copy.params().isAttached()).isFalse();
      LAYERS.releaseCopy(copy);
      assertThat(workspace.isScopeActive()).isTrue();
      assertThat(array.sumNumber().intValue()).isEqualTo(6);
    }
  }

  @Test
  void saysThatANetworkMustBeInitialised() {
    MultiLayerNetwork network = new MultiLayerNetwork(Nets.network(1).getLayerWiseConfigurations());
    assertThatThrownBy(() -> LAYERS.stateDict(network))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("call init() first");
    ComputationGraph graph = new ComputationGraph(Nets.graph(1).getConfiguration());
    assertThatThrownBy(() -> GRAPH.stateDict(graph))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("call init() first");
  }

  @Test
  void saysThatANetworkIsClosed() {
    MultiLayerNetwork network = Nets.network(1);
    try (ModelEma<MultiLayerNetwork> ema =
        ModelEma.builder(LAYERS).strategy(EmaStrategy.nameMatched(0.5)).build(network)) {
      network.close();
      assertThatThrownBy(() -> ema.update(network))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("'0_b' is closed");
    }
  }

  @Test
  void aNetworkWithoutWeightsIsRefused() {
    MultiLayerNetwork network =
        new MultiLayerNetwork(
            Nets.configuration(1)
                .list()
                .layer(
                    new org.deeplearning4j.nn.conf.layers.LossLayer.Builder(LossFunction.MSE)
                        .build())
                .build());
    network.init();
    assertThatThrownBy(
            () -> ModelEma.builder(LAYERS).strategy(EmaStrategy.nameMatched(0.5)).build(network))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no entries");
  }

  @Test
  void averagesAHalfPrecisionNetworkInSinglePrecision() {
    MultiLayerNetwork network = Nets.network(Nets.configuration(1).dataType(DataType.FLOAT16));
    try (ModelEma<MultiLayerNetwork> ema =
        ModelEma.builder(LAYERS).strategy(EmaStrategy.nameMatched(0.999)).build(network)) {
      network.params().assign(1);
      float start = Nets.values(ema.state()).get("2_b")[0];
      ema.update(network);
      assertThat(ema.state().entries().get(0).spec().type()).isEqualTo(ElementType.F32);
      assertThat(Nets.values(ema.state()).get("2_b")[0])
          .isCloseTo(start + 0.001f * (1 - start), within(1e-7f));
    }
  }

  @Test
  void dl4jRefusesBfloat16NetworksItself() {
    assertThatThrownBy(() -> Nets.configuration(1).dataType(DataType.BFLOAT16))
        .hasMessageContaining("BFLOAT16");
  }

  @Test
  void dl4jTrainsHalfPrecisionNetworksToNaN() {
    MultiLayerNetwork network = Nets.network(Nets.configuration(1).dataType(DataType.FLOAT16));
    for (int i = 0; i < 5; i++) {
      Nets.images().forEach(network::fit);
    }
    assertThat(network.params().castTo(DataType.FLOAT).sumNumber().floatValue()).isNaN();
  }

  @Test
  void batchNormKeepsTheDeviationsLogarithmUnlessToldOtherwise() {
    assertThat(new BatchNormalization().isUseLogStd()).isTrue();
  }
}
