package io.github.ema4j.examples.digits;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.TrainingConfig;
import ai.djl.training.initializer.Initializer;
import ai.djl.training.initializer.XavierInitializer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.ema4j.AverageListener;
import io.github.ema4j.ModelEma;
import io.github.ema4j.djl.DjlAdapter;
import io.github.ema4j.djl.EmaTrainer;

/** Trains with DJL on its PyTorch engine, on the CPU. */
final class DjlBackend implements DemoBackend {
  private static final String ENGINE = "PyTorch";
  private static final String THREADS = "ai.djl.pytorch.num_threads";

  @Override
  public DemoSession start(DemoConfig config, int side, int classes, AverageListener listener) {
    // Sums must not depend on how many cores a machine has. The engine reads this when it starts;
    // for images this small more threads are no faster.
    if (System.getProperty(THREADS) == null) {
      System.setProperty(THREADS, "1");
    }
    Model model = Model.newInstance("digits", Device.cpu(), ENGINE);
    model.getNDManager().getEngine().setRandomSeed(config.seed());
    model.setBlock(network(classes));
    model.getBlock().setInitializer(uniformByInputs(), Parameter.Type.WEIGHT);
    EmaTrainer trainer =
        new EmaTrainer(
            model,
            training(config.learningRate()),
            ModelEma.builder(DjlAdapter.instance()).config(config.ema()).listener(listener));
    DjlSession session = new DjlSession(model, trainer);
    try {
      trainer.initialize(new Shape(1, 1, side, side));
    } catch (IllegalArgumentException | UnsupportedOperationException e) {
      session.close();
      throw new InputException(
          "backend djl cannot average as ema.average says: " + e.getMessage(), e);
    }
    return session;
  }

  private static Block network(int classes) {
    return new SequentialBlock()
        .add(convolution(FIRST_CHANNELS))
        .add(BatchNorm.builder().build())
        .add(Activation.reluBlock())
        .add(convolution(SECOND_CHANNELS))
        .add(BatchNorm.builder().build())
        .add(Activation.reluBlock())
        .add(Blocks.batchFlattenBlock())
        .add(Linear.builder().setUnits(classes).build());
  }

  private static Block convolution(int channels) {
    return Conv2d.builder().setFilters(channels).setKernelShape(new Shape(3, 3)).build();
  }

  /** Draws weights between plus and minus {@code 1 / sqrt(inputs)}. */
  private static Initializer uniformByInputs() {
    return new XavierInitializer(
        XavierInitializer.RandomType.UNIFORM, XavierInitializer.FactorType.IN, 1);
  }

  private static TrainingConfig training(double learningRate) {
    return new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
        .optDevices(new Device[] {Device.cpu()})
        .optOptimizer(
            Optimizer.sgd()
                .setLearningRateTracker(Tracker.fixed((float) learningRate))
                .optMomentum((float) MOMENTUM)
                .build());
  }
}
