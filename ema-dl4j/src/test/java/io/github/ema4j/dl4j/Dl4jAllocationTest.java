package io.github.ema4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ModelEma;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.Allocations;
import java.util.stream.Stream;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;

/** An update compares the network with what it was, and does not list it. */
class Dl4jAllocationTest {
  private static final int LAYERS = 30;

  @Test
  void anUpdateOfALayeredNetworkAllocatesAtMost256BytesForEachArray() {
    NeuralNetConfiguration.ListBuilder layers = Nets.configuration(1).list();
    Stream.generate(Dl4jAllocationTest::dense).limit(LAYERS).forEach(layers::layer);
    MultiLayerNetwork network = new MultiLayerNetwork(layers.build());
    network.init();
    assertAllocatesLittle(Dl4jAdapter.multiLayer(), network);
  }

  @Test
  void anUpdateOfAGraphAllocatesAtMost256BytesForEachArray() {
    ComputationGraph graph = Nets.graph(1);
    assertAllocatesLittle(Dl4jAdapter.graph(), graph);
  }

  private static DenseLayer dense() {
    return new DenseLayer.Builder().nIn(4).nOut(4).build();
  }

  private static <M extends Model> void assertAllocatesLittle(
      ModelAdapter<M, ?> adapter, M network) {
    try (ModelEma<M> ema = ModelEma.builder(adapter).build(network)) {
      long allowed = 256L * network.paramTable().size();
      assertThat(Allocations.least(() -> ema.update(network), 2_000, allowed))
          .isLessThanOrEqualTo(allowed);
    }
  }
}
