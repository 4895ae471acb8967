package io.github.ema4j.dl4j;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.ModelEma;
import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * A training listener that updates an average of a network's weights after every optimiser step.
 *
 * <pre>{@code
 * try (EmaListener<MultiLayerNetwork> listener =
 *     new EmaListener<>(
 *         network,
 *         ModelEma.builder(Dl4jAdapter.multiLayer()).strategy(EmaStrategy.nameMatched(0.999)))) {
 *   network.addListeners(listener);
 *   network.fit(training, 10);
 *   try (Swap swap = listener.ema().swapInto(network)) {
 *     network.evaluate(validation);
 *   }
 * }
 * }</pre>
 *
 * <p>DL4J calls its listeners after the optimiser's step and before the constraints. Where a
 * network has constraints, this listener applies them itself, updates the average with what comes
 * of it, and puts the weights back to the bit, so that DL4J goes on as if nothing had been. That
 * takes a copy of the weights, kept in memory, and holds for DL4J's own constraints, which are
 * functions of the weights alone; others are refused.
 *
 * <p>The listener owns the average: it lives until the listener is closed. Weights that are loaded
 * into the network later, and what layer-wise pretraining leaves, are made the average's starting
 * point with {@code ema().set(network)}. The clock is {@link io.github.ema4j.Clock#STEPS}; a
 * segment of truncated backpropagation through time is a step. One thread at a time: replicas, such
 * as those of ParallelWrapper, are refused.
 *
 * @param <M> {@code MultiLayerNetwork} or {@code ComputationGraph}
 */
public final class EmaListener<M extends Model> extends BaseTrainingListener
    implements AutoCloseable {
  private final M network;
  private final ModelEma<M> average;
  private final ConstraintRehearsal constraints;

  /**
   * Starts an average of a network as it is now. The listener must still be added to the network.
   *
   * @param network the network to follow; stays the caller's
   * @param average what the average is made with
   * @throws IllegalStateException if the network is not initialised
   * @throws UnsupportedOperationException if a layer has a constraint that is not DL4J's own, or
   *     the average cannot be kept
   */
  public EmaListener(M network, ModelEma.Builder<M> average) {
    this.network = network;
    constraints = new ConstraintRehearsal(network);
    constraints.isNeeded();
    this.average = average.build(network);
  }

  /** Returns the average, which has seen every step that is done. */
  public ModelEma<M> ema() {
    return average;
  }

  /** Updates the average with the weights that DL4J's constraints will leave. */
  @Override
  public void iterationDone(Model model, int iteration, int epoch) {
    requireOwn(model);
    if (constraints.isNeeded()) {
      constraints.rehearse(iteration + 1, epoch, () -> average.update(network));
    } else {
      average.update(network);
    }
  }

  @Override
  public void onEpochStart(Model model) {
    requireTrainable(model);
  }

  @Override
  public void onForwardPass(Model model, List<INDArray> activations) {
    requireTrainable(model);
  }

  @Override
  public void onForwardPass(Model model, Map<String, INDArray> activations) {
    requireTrainable(model);
  }

  /** Refuses to train before the step has changed anything. */
  private void requireTrainable(Model model) {
    requireOwn(model);
    checkState(
        !average.swapped(),
        "cannot train while the average is swapped into a network; close the swap");
  }

  private void requireOwn(Model model) {
    checkState(
        model == network,
        "this listener averages the network that it was made with, but another one is training, such"
            + " as a clone, a replica of ParallelWrapper or a layer in pretraining (%s); give each"
            + " network a listener of its own, and with ParallelWrapper or pretraining call"
            + " ema.update(network) or ema.set(network) after it instead",
        model.getClass().getName());
  }

  /**
   * Closes the average. The network stays open; take the listener off it before training goes on.
   *
   * @throws IllegalStateException if the average is swapped into a network
   */
  @Override
  public void close() {
    average.close();
    constraints.close();
  }
}
