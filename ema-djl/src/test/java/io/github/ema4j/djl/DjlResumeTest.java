package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** DJL's optimisers cannot save what they remember: with plain SGD there is nothing to. */
class DjlResumeTest {

  @TempDir private Path folder;

  private record Run(Map<String, float[]> model, Map<String, float[]> average) {}

  @Test
  void aResumedTrainingGivesTheBitsOfOneThatDidNotStop() throws Exception {
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Run straight = train(3, 2, null, null);
    train(3, 1, null, checkpoint);

    Run resumed = train(4, 1, checkpoint, null);

    assertThat(resumed).usingRecursiveComparison().isEqualTo(straight);
  }

  private static Run train(int seed, int epochs, Path from, Path to) throws Exception {
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
            .optDevices(new Device[] {Device.cpu()})
            .optOptimizer(Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.1f)).build());
    EmaStrategy strategy =
        EmaStrategy.nameMatched(0).scheduled(DecaySchedule.numUpdatesWarmup(0.99));
    try (Model model = Nets.initialized(seed);
        EmaTrainer trainer =
            new EmaTrainer(
                model, config, ModelEma.builder(DjlAdapter.instance()).strategy(strategy))) {
      trainer.initialize(Nets.INPUT);
      if (from != null) {
        trainer.ema().resumeFrom(from);
      }
      EasyTrain.fit(trainer, epochs, Nets.data(trainer.getManager()), null);
      if (to != null) {
        trainer.ema().save(to);
      }
      return new Run(Nets.weights(model.getBlock()), Nets.values(trainer.ema().state()));
    }
  }

  /** DJL's own file, written by DJL from averaged weights, is read by DJL. */
  @Test
  void anAverageIsSavedAsDjlSavesAModel() throws Exception {
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Path params = folder.resolve("net.params");
    Run run = train(3, 1, null, checkpoint);
    try (Model model = Nets.initialized(4);
        ModelEma<Block> ema = ModelEma.builder(DjlAdapter.instance()).build(model.getBlock())) {
      try (TensorFile file = TensorFile.open(checkpoint)) {
        ema.load(file.stateDict("ema."));
      }
      ema.copyTo(model.getBlock());
      try (DataOutputStream output = new DataOutputStream(Files.newOutputStream(params))) {
        model.getBlock().saveParameters(output);
      }
    }
    try (Model model = Nets.model();
        DataInputStream input = new DataInputStream(Files.newInputStream(params))) {
      model.getBlock().loadParameters(model.getNDManager(), input);

      assertThat(Nets.weights(model.getBlock())).usingRecursiveComparison().isEqualTo(run.average);
    }
  }
}
