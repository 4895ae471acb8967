package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import io.github.ema4j.dl4j.Dl4jAdapter;
import io.github.ema4j.dl4j.EmaListener;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.evaluation.regression.RegressionEvaluation;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** An ordinary DL4J training, with an average beside it. */
public final class AddEmaToDl4j {

  private AddEmaToDl4j() {}

  /**
   * Trains a network, evaluates the averaged weights and leaves them in the network.
   *
   * @return how the averaged weights did
   */
  @SuppressWarnings("try") // the swap is there to be closed
  public static RegressionEvaluation train(
      MultiLayerNetwork network, int epochs, DataSetIterator training, DataSetIterator test) {
    RegressionEvaluation evaluation;
    // tag::listener[]
    ModelEma.Builder<MultiLayerNetwork> average =
        ModelEma.builder(Dl4jAdapter.multiLayer()).strategy(nameMatched(0.999));
    try (EmaListener<MultiLayerNetwork> listener = new EmaListener<>(network, average)) {
      network.addListeners(listener);
      network.fit(training, epochs); // every step updates the average
      try (Swap swap = listener.ema().swapInto(network)) {
        evaluation = network.evaluateRegression(test); // on the averaged weights
      } // the network has its own weights again
      listener.ema().copyTo(network); // for release: the averaged ones
    }
    // end::listener[]
    return evaluation;
  }
}
