package io.github.ema4j.djl;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import com.google.common.collect.MapMaker;
import io.github.ema4j.StateDict;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentMap;

/**
 * Binds DJL's blocks to averages.
 *
 * <pre>{@code
 * ModelEma<Block> ema =
 *     ModelEma.builder(DjlAdapter.instance())
 *         .strategy(EmaStrategy.nameMatched(0.999))
 *         .module(() -> newNetwork())
 *         .build(model.getBlock());
 * }</pre>
 *
 * <p>Entries are a block's parameters in its own order, under the names in {@link
 * Block#getParameters()} (not {@link Parameter#getName()}, which is not unique); a parameter that
 * several children share is listed once, under its first name. Running means and variances are
 * {@link io.github.ema4j.Role#STATISTIC}s, integers {@link io.github.ema4j.Role#COUNTER}s, and what
 * needs no gradient is {@link io.github.ema4j.Role#FROZEN}. What an update does with an entry is
 * decided when the average starts: freezing later changes the role that the state dict shows, not
 * the treatment.
 *
 * <p>A TorchScript module's buffers, which DJL does not list, come after its parameters; the script
 * tells them by a method {@code ema_buffers}.
 *
 * <p>A model that DJL loaded closes its block when it is closed or garbage: where a supplier
 * returns such a block, keep its {@link ai.djl.Model} for as long as the average.
 *
 * <p>Update after {@code Trainer.step()}: DJL's {@code onTrainingBatch} comes before it. {@link
 * EmaTrainer} does so by itself. Thread-safe for different blocks.
 */
public final class DjlAdapter implements ModelAdapter<Block, NDArray> {
  private static final DjlAdapter INSTANCE = new DjlAdapter();

  /** The copies that were initialised here, each with the manager of its arrays. */
  private final ConcurrentMap<Block, NDManager> initialized = new MapMaker().weakKeys().makeMap();

  private DjlAdapter() {}

  /** Returns the adapter. */
  public static DjlAdapter instance() {
    return INSTANCE;
  }

  @Override
  public TensorBackend<NDArray> backend() {
    return DjlBackend.instance();
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if a parameter has no array yet, naming it and how to initialise
   *     it, or its array is closed
   * @throws UnsupportedOperationException if the backend refuses a parameter, naming it
   */
  @Override
  public StateDict<NDArray> stateDict(Block block) {
    return new DjlStateDict(DjlBackend.instance(), block);
  }

  /**
   * Refuses: DJL has no copy of a block.
   *
   * @throws UnsupportedOperationException always, with the call that passes a supplier
   */
  @Override
  public Block copy(Block block) {
    throw new UnsupportedOperationException(
        "DJL cannot copy a "
            + block.getClass().getName()
            + "; say how to make another one:"
            + " ModelEma.builder(DjlAdapter.instance()).module(() -> newNetwork())");
  }

  /**
   * Initialises a copy that has no arrays yet with the model's input shapes, data type and device.
   * The arrays live until {@link #releaseCopy}.
   *
   * @throws IllegalArgumentException if the copy shares a parameter with the model
   * @throws IllegalStateException if the copy has no arrays and the model's input shapes are not
   *     known either
   */
  @Override
  public boolean initializeLike(Block copy, Block model) {
    requireOwnParameters(copy, model);
    if (!needsArrays(copy)) {
      return false;
    }
    NDManager manager = DjlBackend.manager().newSubManager(device(model));
    try {
      copy.initialize(manager, dataType(model), inputShapes(model));
      DjlBackend.keep(arrays(copy));
    } catch (RuntimeException | Error e) {
      manager.close();
      throw e;
    }
    initialized.put(copy, manager);
    return true;
  }

  /**
   * Freezes a copy's parameters. DJL's blocks have no evaluation mode of their own: it is an
   * argument of {@code forward}.
   */
  @Override
  public void evaluationMode(Block copy) {
    copy.freezeParameters(true);
  }

  /**
   * Closes a copy's parameters, the copy itself where it is {@link AutoCloseable} (such as a
   * TorchScript block), and what {@link #initializeLike} made.
   */
  @Override
  public void releaseCopy(Block copy) {
    NDManager manager = initialized.remove(copy);
    try {
      copy.clear();
      if (copy instanceof AutoCloseable closeable) {
        closeable.close();
      }
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("the copy could not be closed: " + e.getMessage(), e);
    } finally {
      if (manager != null) {
        manager.close();
      }
    }
  }

  private static void requireOwnParameters(Block copy, Block model) {
    Set<Object> owned = Collections.newSetFromMap(new IdentityHashMap<>());
    for (Parameter parameter : model.getParameters().values()) {
      owned.add(parameter);
      if (parameter.isInitialized()) {
        owned.add(parameter.getArray());
      }
    }
    for (Pair<String, Parameter> pair : copy.getParameters()) {
      Parameter parameter = pair.getValue();
      checkArgument(
          !owned.contains(parameter)
              && !(parameter.isInitialized() && owned.contains(parameter.getArray())),
          "'%s' of the module is the trained block's own parameter; return a new block with"
              + " parameters of its own",
          pair.getKey());
    }
  }

  /**
   * Tells whether a block must be initialised; blocks that were loaded may not say that they are.
   */
  private static boolean needsArrays(Block block) {
    List<Parameter> parameters = block.getParameters().values();
    boolean complete =
        !parameters.isEmpty() && parameters.stream().allMatch(Parameter::isInitialized);
    return !complete && !block.isInitialized();
  }

  private static Shape[] inputShapes(Block model) {
    try {
      return model.getInputShapes();
    } catch (IllegalStateException e) {
      throw new IllegalStateException(
          "the module has no arrays yet, and the trained block does not know its input shapes to"
              + " initialise it with; return a block that is initialised",
          e);
    }
  }

  private static Device device(Block model) {
    List<NDArray> arrays = arrays(model);
    return arrays.isEmpty() ? Device.cpu() : arrays.get(0).getDevice();
  }

  private static DataType dataType(Block model) {
    return arrays(model).stream()
        .map(NDArray::getDataType)
        .filter(DataType::isFloating)
        .findFirst()
        .orElse(DataType.FLOAT32);
  }

  private static List<NDArray> arrays(Block block) {
    return block.getParameters().values().stream().map(Parameter::getArray).toList();
  }
}
