package io.github.ema4j.dl4j;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.Role;
import io.github.ema4j.dl4j.LiveStateDict.Sink;
import java.util.Set;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.api.Updater;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.CenterLossOutputLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.graph.vertex.GraphVertex;
import org.deeplearning4j.nn.layers.FrozenLayer;
import org.deeplearning4j.nn.layers.FrozenLayerWithBackprop;
import org.deeplearning4j.nn.layers.wrapper.BaseWrapperLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.params.BatchNormalizationParamInitializer;
import org.deeplearning4j.nn.params.CenterLossParamInitializer;
import org.deeplearning4j.nn.updater.graph.ComputationGraphUpdater;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;

/** Lists the arrays of DL4J's networks under the names of their {@code paramTable()}. */
final class Networks {
  private static final Set<String> RUNNING_STATISTICS =
      Set.of(
          BatchNormalizationParamInitializer.GLOBAL_MEAN,
          BatchNormalizationParamInitializer.GLOBAL_VAR,
          BatchNormalizationParamInitializer.GLOBAL_LOG_STD);

  private Networks() {}

  static void list(MultiLayerNetwork network, Sink sink) {
    Layer[] layers = network.getLayers();
    requireInitialized(layers);
    for (int i = 0; i < layers.length; i++) {
      String prefix = i + "_";
      Layer layer = layers[i];
      layer
          .paramTable(false)
          .forEach((key, array) -> sink.accept(prefix, key, array, role(layer, key)));
    }
  }

  static void list(ComputationGraph graph, Sink sink) {
    GraphVertex[] vertices = graph.getVertices();
    requireInitialized(vertices);
    for (GraphVertex vertex : vertices) {
      String prefix = vertex.getVertexName() + "_";
      @Nullable Layer layer = vertex.getLayer();
      vertex
          .paramTable(false)
          .forEach((key, array) -> sink.accept(prefix, key, array, role(layer, key)));
    }
  }

  static Layer[] layers(Model network) {
    return network instanceof ComputationGraph graph
        ? graph.getLayers()
        : ((MultiLayerNetwork) network).getLayers();
  }

  /** Frees the optimiser's state of a network that does not train; training would start anew. */
  static void dropUpdater(Model network) {
    if (network instanceof ComputationGraph graph) {
      @Nullable ComputationGraphUpdater updater = graph.getUpdater(false);
      if (updater != null) {
        close(updater.getStateViewArray());
        graph.setUpdater(null);
      }
    } else if (network instanceof MultiLayerNetwork layers) {
      @Nullable Updater updater = layers.getUpdater(false);
      if (updater != null) {
        close(updater.getStateViewArray());
        layers.setUpdater(null);
      }
    }
  }

  /** Frees the vectors that a network's weights and gradients are views of. */
  static void close(Model network) {
    close(network.params());
    close(network.getGradientsViewArray());
  }

  private static void close(@Nullable INDArray vector) {
    if (vector != null && vector.closeable()) {
      vector.close();
    }
  }

  private static void requireInitialized(Object @Nullable [] parts) {
    checkState(parts != null, "the network has no weights yet; call init() first");
  }

  private static Role role(@Nullable Layer layer, String key) {
    boolean frozen = false;
    @Nullable Layer inner = layer;
    while (inner instanceof BaseWrapperLayer wrapper) {
      frozen |= isFrozen(wrapper);
      inner = wrapper.getUnderlying();
    }
    if (inner != null && isStatistic(inner.conf().getLayer(), key)) {
      return Role.STATISTIC;
    }
    return frozen ? Role.FROZEN : Role.PARAMETER;
  }

  static boolean isFrozen(Layer layer) {
    return layer instanceof FrozenLayer || layer instanceof FrozenLayerWithBackprop;
  }

  private static boolean isStatistic(
      org.deeplearning4j.nn.conf.layers.Layer configuration, String key) {
    if (configuration instanceof BatchNormalization) {
      return RUNNING_STATISTICS.contains(key);
    }
    return configuration instanceof CenterLossOutputLayer
        && key.equals(CenterLossParamInitializer.CENTER_KEY);
  }
}
