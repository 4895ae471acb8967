package io.github.ema4j.dl4j;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.ModelEma;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/**
 * A SameDiff listener that updates an average of a graph's weights after every optimiser step.
 *
 * <pre>{@code
 * try (SameDiffEmaListener listener =
 *     new SameDiffEmaListener(
 *         graph,
 *         ModelEma.builder(SameDiffAdapter.instance())
 *             .strategy(EmaStrategy.nameMatched(0.999)))) {
 *   graph.addListeners(listener);
 *   graph.fit(training, 10);
 *   try (Swap swap = listener.ema().swapInto(graph)) {
 *     graph.evaluate(validation, "output", evaluation);
 *   }
 * }
 * }</pre>
 *
 * <p>The listener owns the average: it lives until the listener is closed. The clock is {@link
 * io.github.ema4j.Clock#STEPS}. One thread at a time.
 */
public final class SameDiffEmaListener extends BaseListener implements AutoCloseable {
  private final SameDiff graph;
  private final ModelEma<SameDiff> average;

  /**
   * Starts an average of a graph as it is now. The listener must still be added to the graph.
   *
   * @param graph the graph to follow; stays the caller's
   * @param average what the average is made with
   * @throws IllegalStateException if a variable has no array yet
   * @throws UnsupportedOperationException if the average cannot be kept
   */
  public SameDiffEmaListener(SameDiff graph, ModelEma.Builder<SameDiff> average) {
    this.graph = graph;
    this.average = average.build(graph);
  }

  /** Returns the average, which has seen every step that is done. */
  public ModelEma<SameDiff> ema() {
    return average;
  }

  @Override
  public boolean isActive(Operation operation) {
    return operation == Operation.TRAINING;
  }

  /** Refuses to train another graph, or during a swap, before the step has changed anything. */
  @Override
  @SuppressWarnings("ReferenceEquality") // graphs are equal where their contents are
  public void iterationStart(SameDiff trained, At at, MultiDataSet data, long etlTimeMs) {
    checkState(
        trained == graph,
        "this listener averages the graph that it was made with, but another one is training; give"
            + " each graph a listener of its own");
    checkState(
        !average.swapped(),
        "cannot train while the average is swapped into a graph; close the swap");
  }

  /**
   * Updates the average.
   *
   * @param gradients SameDiff's own graph of the gradients, which shares the arrays of the weights
   */
  @Override
  public void iterationDone(SameDiff gradients, At at, MultiDataSet data, Loss loss) {
    average.update(graph);
  }

  /**
   * Closes the average. The graph stays open; take the listener off it before training goes on.
   *
   * @throws IllegalStateException if the average is swapped into a graph
   */
  @Override
  public void close() {
    average.close();
  }
}
