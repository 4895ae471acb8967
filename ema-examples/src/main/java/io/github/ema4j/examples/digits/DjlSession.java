package io.github.ema4j.examples.digits;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import io.github.ema4j.Swap;
import io.github.ema4j.djl.DjlAdapter;
import io.github.ema4j.djl.EmaTrainer;

/**
 * A DJL network in training. All arrays of a batch, results included, hang on one manager, which is
 * closed with the batch.
 */
final class DjlSession implements DemoSession {
  /** So many images are evaluated at once: enough to be fast, few enough for large images. */
  private static final int EVALUATION_BATCH = 256;

  private final Model model;
  private final EmaTrainer trainer;

  /** Takes model and trainer over. */
  DjlSession(Model model, EmaTrainer trainer) {
    this.model = model;
    this.trainer = trainer;
  }

  @Override
  public double train(Images batch) {
    try (NDManager manager = trainer.getManager().newSubManager()) {
      NDList labels = new NDList(manager.create(batch.labels()));
      double loss;
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList logits = trainer.forward(images(manager, batch));
        NDArray mean = trainer.getLoss().evaluate(labels, logits);
        collector.backward(mean);
        loss = mean.getFloat();
      }
      trainer.step();
      return loss;
    }
  }

  @Override
  public double accuracy(Images images) {
    long right = 0;
    for (Images batch : images.batches(EVALUATION_BATCH)) {
      right += countRight(batch);
    }
    return (double) right / images.size();
  }

  private long countRight(Images batch) {
    try (NDManager manager = trainer.getManager().newSubManager()) {
      long[] classes =
          trainer.evaluate(images(manager, batch)).singletonOrThrow().argMax(1).toLongArray();
      long right = 0;
      for (int i = 0; i < classes.length; i++) {
        right += classes[i] == batch.label(i) ? 1 : 0;
      }
      return right;
    }
  }

  @Override
  @SuppressWarnings("try") // the swap is open for as long as it is not closed
  public double averagedAccuracy(Images images) {
    try (Swap swap = trainer.ema().swapInto(model.getBlock())) {
      return accuracy(images);
    }
  }

  private static NDList images(NDManager manager, Images images) {
    Shape shape = new Shape(images.size(), 1, images.side(), images.side());
    return new NDList(manager.create(images.pixels(), shape));
  }

  @Override
  public DemoTrial<?> trial(double... decays) {
    return DemoTrial.of(DjlAdapter.instance(), model.getBlock(), this::accuracy, decays);
  }

  @Override
  public void close() {
    trainer.close();
    model.close();
  }
}
