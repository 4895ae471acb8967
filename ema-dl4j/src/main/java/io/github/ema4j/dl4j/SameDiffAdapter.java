package io.github.ema4j.dl4j;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.dl4j.LiveStateDict.Sink;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import org.jspecify.annotations.Nullable;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.VariableType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Binds SameDiff graphs to averages.
 *
 * <p>Entries are the arrays of a graph's variables, live, in its order and under its names, and
 * those of its floating-point constants, which are {@link io.github.ema4j.Role#FROZEN}: weights
 * become constants where SameDiff freezes them. Constants of other types are part of the graph's
 * structure, such as axes, and are left out, as placeholders and results are.
 *
 * <p>{@link SameDiffEmaListener} updates an average while a graph trains. Thread-safe for different
 * graphs.
 */
public final class SameDiffAdapter implements ModelAdapter<SameDiff, INDArray> {
  private static final SameDiffAdapter INSTANCE = new SameDiffAdapter();

  private SameDiffAdapter() {}

  /** Returns the adapter. */
  public static SameDiffAdapter instance() {
    return INSTANCE;
  }

  @Override
  public TensorBackend<INDArray> backend() {
    return Dl4jBackend.instance();
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if a variable has no array yet or its array is closed, naming it
   * @throws UnsupportedOperationException if the backend refuses an array, naming it
   */
  @Override
  public StateDict<INDArray> stateDict(SameDiff graph) {
    return new LiveStateDict(sink -> list(graph, sink));
  }

  private static void list(SameDiff graph, Sink sink) {
    for (SDVariable variable : graph.variables()) {
      if (variable.getVariableType() == VariableType.VARIABLE) {
        sink.accept("", variable.name(), array(variable), Role.PARAMETER);
      } else if (isWeightLike(variable)) {
        sink.accept("", variable.name(), array(variable), Role.FROZEN);
      }
    }
  }

  private static boolean isWeightLike(SDVariable variable) {
    return variable.getVariableType() == VariableType.CONSTANT && variable.dataType().isFPType();
  }

  private static INDArray array(SDVariable variable) {
    @Nullable INDArray array = variable.getArr();
    checkState(
        array != null,
        "variable '%s' has no array yet; give it one with setArray(...) or an initializer",
        variable.name());
    return array;
  }

  /**
   * Copies a graph by its own {@code dup()}, outside all workspaces.
   *
   * @throws UnsupportedOperationException if the graph cannot be copied, with SameDiff's reason and
   *     the call that passes a supplier
   */
  @Override
  @SuppressWarnings("try") // the scope is there to be closed
  public SameDiff copy(SameDiff graph) {
    try (MemoryWorkspace scope = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      return graph.dup();
    } catch (RuntimeException e) {
      throw new UnsupportedOperationException(
          "SameDiff cannot copy this graph ("
              + e.getMessage()
              + "); say how to make another one:"
              + " ModelEma.builder(SameDiffAdapter.instance()).module(() -> newGraph())",
          e);
    }
  }

  /** Does nothing: a graph trains in {@code fit} alone, {@code output} evaluates. */
  @Override
  public void evaluationMode(SameDiff copy) {}

  /** Frees the arrays of a copy's variables and constants. */
  @Override
  public void releaseCopy(SameDiff copy) {
    list(
        copy,
        (prefix, name, array, role) -> {
          if (array.closeable()) {
            array.close();
          }
        });
  }
}
