package io.github.ema4j.benchmarks;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.djl.DjlAdapter;

/** The network in training on DJL. */
final class DjlTraining implements TrainingFramework.Training {
  private final TrainingNet shape;
  private final Model model;
  private final Trainer trainer;
  private final ModelEma<Block> ema;

  DjlTraining(boolean tiny) {
    shape = TrainingNet.of(tiny);
    model = Model.newInstance("benchmark", Device.cpu());
    model.setBlock(network(shape));
    trainer = model.newTrainer(config());
    trainer.initialize(imageShape());
    ema =
        ModelEma.builder(DjlAdapter.instance())
            .strategy(EmaStrategy.nameMatched(TrainingNet.DECAY))
            .build(model.getBlock());
  }

  private static Block network(TrainingNet shape) {
    SequentialBlock block = new SequentialBlock();
    for (int layer = 0; layer < shape.channels().length(); layer++) {
      int stride = TrainingNet.stride(layer);
      block
          .add(
              Conv2d.builder()
                  .setFilters(shape.channels().get(layer))
                  .setKernelShape(new Shape(TrainingNet.KERNEL, TrainingNet.KERNEL))
                  .optStride(new Shape(stride, stride))
                  .build())
          .add(BatchNorm.builder().build())
          .add(Activation.reluBlock());
    }
    return block
        .add(Blocks.batchFlattenBlock())
        .add(Linear.builder().setUnits(TrainingNet.CLASSES).build());
  }

  private static TrainingConfig config() {
    return new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
        .optDevices(new Device[] {Device.cpu()})
        .optOptimizer(
            Optimizer.sgd()
                .setLearningRateTracker(Tracker.fixed(TrainingNet.LEARNING_RATE))
                .optMomentum(TrainingNet.MOMENTUM)
                .build());
  }

  private Shape imageShape() {
    return new Shape(shape.batchSize(), TrainingNet.COLORS, shape.side(), shape.side());
  }

  @Override
  public String description() {
    return shape.description();
  }

  @Override
  public void step() {
    try (NDManager batch = trainer.getManager().newSubManager()) {
      NDList images = new NDList(batch.create(shape.images(), imageShape()));
      NDList labels = new NDList(batch.create(shape.labels()));
      try (GradientCollector collector = trainer.newGradientCollector()) {
        collector.backward(trainer.getLoss().evaluate(labels, trainer.forward(images)));
      }
      trainer.step();
    }
  }

  @Override
  public void update() {
    ema.update(model.getBlock());
  }

  @Override
  public void close() {
    ema.close();
    trainer.close();
    model.close();
  }
}
