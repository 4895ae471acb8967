package io.github.ema4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.dataset.DataSet;

/** DL4J saves the network with what its updater remembers; the average comes from our file. */
class Dl4jResumeTest {
  private static final EmaStrategy STRATEGY =
      EmaStrategy.nameMatched(0).scheduled(DecaySchedule.numUpdatesWarmup(0.99));

  @TempDir private Path folder;

  @Test
  void aResumedTrainingGivesTheBitsOfOneThatDidNotStop() throws IOException {
    File network = folder.resolve("network.zip").toFile();
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    MultiLayerNetwork straight = Nets.network(1);
    MultiLayerNetwork first = Nets.network(1);
    try (ModelEma<MultiLayerNetwork> whole = average(straight)) {
      fit(straight, whole);
      fit(straight, whole);
      try (ModelEma<MultiLayerNetwork> ema = average(first)) {
        fit(first, ema);
        ModelSerializer.writeModel(first, network, true);
        ema.save(checkpoint);
      }
      MultiLayerNetwork second = ModelSerializer.restoreMultiLayerNetwork(network, true);
      try (ModelEma<MultiLayerNetwork> ema = average(second)) {
        ema.resumeFrom(checkpoint);
        fit(second, ema);

        assertSame(Nets.weights(second), Nets.weights(straight));
        assertSame(Nets.values(ema.state()), Nets.values(whole.state()));
        assertThat(ema.progress()).isEqualTo(whole.progress());
      }
    }
  }

  /** DL4J's own file, written by DL4J from averaged weights, is read by DL4J. */
  @Test
  void anAverageIsSavedAsDl4jSavesAModel() throws IOException {
    File released = folder.resolve("average.zip").toFile();
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    MultiLayerNetwork network = Nets.network(1);
    MultiLayerNetwork other = Nets.network(2);
    try (ModelEma<MultiLayerNetwork> ema = average(network);
        ModelEma<MultiLayerNetwork> loaded = average(other)) {
      fit(network, ema);
      ema.save(checkpoint);
      try (TensorFile file = TensorFile.open(checkpoint)) {
        loaded.load(file.stateDict("ema."));
      }
      loaded.copyTo(other);
      ModelSerializer.writeModel(other, released, false);
      MultiLayerNetwork restored = ModelSerializer.restoreMultiLayerNetwork(released, false);

      ema.copyTo(network);
      assertSame(Nets.weights(restored), Nets.weights(network));
    }
  }

  private static void assertSame(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual).usingRecursiveComparison().isEqualTo(expected);
  }

  private static ModelEma<MultiLayerNetwork> average(MultiLayerNetwork network) {
    return ModelEma.builder(Dl4jAdapter.multiLayer()).strategy(STRATEGY).build(network);
  }

  private static void fit(MultiLayerNetwork network, ModelEma<MultiLayerNetwork> ema) {
    for (DataSet batch : Nets.images()) {
      network.fit(batch);
      ema.update(network);
    }
  }
}
