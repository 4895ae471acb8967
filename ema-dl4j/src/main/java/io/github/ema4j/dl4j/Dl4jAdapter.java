package io.github.ema4j.dl4j;

import io.github.ema4j.StateDict;
import io.github.ema4j.dl4j.LiveStateDict.Sink;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Binds DL4J's networks to averages.
 *
 * <pre>{@code
 * ModelEma<MultiLayerNetwork> ema =
 *     ModelEma.builder(Dl4jAdapter.multiLayer())
 *         .strategy(EmaStrategy.nameMatched(0.999))
 *         .build(network);
 * }</pre>
 *
 * <p>Entries are the arrays of {@code paramTable()}, live, in its order and under its names, such
 * as {@code 0_W}. Batch norm's {@code mean}, {@code var} and {@code log10stdev}, and the centers of
 * a center loss, are {@link io.github.ema4j.Role#STATISTIC}s; what a {@code FrozenLayer} holds
 * otherwise is {@link io.github.ema4j.Role#FROZEN}. Everything is averaged as it is stored: the
 * average of {@code log10stdev} makes a geometric mean of the deviations, that of {@code var} an
 * arithmetic one of the variances; {@code useLogStd(false)} chooses the latter.
 *
 * <p>{@link EmaListener} updates an average while a network trains. With a loop of one's own,
 * update after each {@code fit} of a batch. Thread-safe for different networks.
 *
 * @param <M> {@code MultiLayerNetwork} or {@code ComputationGraph}
 */
public final class Dl4jAdapter<M extends Model> implements ModelAdapter<M, INDArray> {
  private static final Dl4jAdapter<MultiLayerNetwork> MULTI_LAYER =
      new Dl4jAdapter<>(Networks::list, MultiLayerNetwork::clone);
  private static final Dl4jAdapter<ComputationGraph> GRAPH =
      new Dl4jAdapter<>(Networks::list, ComputationGraph::clone);

  private final BiConsumer<M, Sink> lister;
  private final UnaryOperator<M> cloner;

  private Dl4jAdapter(BiConsumer<M, Sink> lister, UnaryOperator<M> cloner) {
    this.lister = lister;
    this.cloner = cloner;
  }

  /** Returns the adapter of networks with one layer after another. */
  public static Dl4jAdapter<MultiLayerNetwork> multiLayer() {
    return MULTI_LAYER;
  }

  /** Returns the adapter of graphs. */
  public static Dl4jAdapter<ComputationGraph> graph() {
    return GRAPH;
  }

  @Override
  public TensorBackend<INDArray> backend() {
    return Dl4jBackend.instance();
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if the network is not initialised or is closed
   * @throws UnsupportedOperationException if the backend refuses an array, naming it
   */
  @Override
  public StateDict<INDArray> stateDict(M model) {
    return new LiveStateDict(sink -> lister.accept(model, sink));
  }

  /** Clones a network by its own {@code clone()}, without the optimiser's state. */
  @Override
  @SuppressWarnings("try") // the scope is there to be closed
  public M copy(M model) {
    try (MemoryWorkspace scope = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      M copy = cloner.apply(model);
      Networks.dropUpdater(copy);
      return copy;
    }
  }

  /** Does nothing: a network trains in {@code fit} alone, {@code output} evaluates. */
  @Override
  public void evaluationMode(M copy) {}

  /**
   * Frees a copy's weights, gradients and optimiser state. Not by its {@code close()}, which would
   * destroy all workspaces of the thread.
   */
  @Override
  public void releaseCopy(M copy) {
    Networks.dropUpdater(copy);
    Networks.close(copy);
  }
}
