package io.github.ema4j.examples.digits;

import io.github.ema4j.Swap;
import io.github.ema4j.dl4j.Dl4jAdapter;
import io.github.ema4j.dl4j.EmaListener;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;

/** A DL4J network in training. */
final class Dl4jSession implements DemoSession {
  /** So many images are evaluated at once: enough to be fast, few enough for large images. */
  private static final int EVALUATION_BATCH = 256;

  private final MultiLayerNetwork network;
  private final EmaListener<MultiLayerNetwork> listener;
  private final int classes;

  /** Takes network and listener over. */
  Dl4jSession(MultiLayerNetwork network, EmaListener<MultiLayerNetwork> listener, int classes) {
    this.network = network;
    this.listener = listener;
    this.classes = classes;
  }

  @Override
  public double train(Images batch) {
    INDArray labels = Nd4j.zeros(DataType.FLOAT, batch.size(), classes);
    for (int i = 0; i < batch.size(); i++) {
      labels.putScalar(i, batch.label(i), 1);
    }
    network.fit(new DataSet(images(batch), labels)); // the listener updates the average
    return network.score();
  }

  @Override
  public double accuracy(Images images) {
    long right = 0;
    for (Images batch : images.batches(EVALUATION_BATCH)) {
      int[] labels = network.predict(images(batch));
      for (int i = 0; i < labels.length; i++) {
        right += labels[i] == batch.label(i) ? 1 : 0;
      }
    }
    return (double) right / images.size();
  }

  @Override
  @SuppressWarnings("try") // the swap is open for as long as it is not closed
  public double averagedAccuracy(Images images) {
    try (Swap swap = listener.ema().swapInto(network)) {
      return accuracy(images);
    }
  }

  private static INDArray images(Images images) {
    return Nd4j.create(images.pixels(), images.size(), 1, images.side(), images.side());
  }

  @Override
  public DemoTrial<?> trial(double... decays) {
    return DemoTrial.of(Dl4jAdapter.multiLayer(), network, this::accuracy, decays);
  }

  @Override
  public void close() {
    listener.close();
    network.close();
  }
}
