package io.github.ema4j.testkit;

import io.github.ema4j.Device;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import java.util.Optional;
import java.util.Set;

/**
 * What the author of a backend tells the kits about it: four methods, and more where the framework
 * can do more.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public interface BackendUnderTest<M, T> {

  /** Returns the adapter to check. */
  ModelAdapter<M, T> adapter();

  /** Returns all that the backend can do. */
  Set<Capability> capabilities();

  /**
   * Returns a new model whose state dict has the given entries: names, order, types, shapes and
   * roles; with {@link Capability#STRIDED} their strides, where those leave no gaps, and with
   * {@link Capability#TIED} one tensor where entries have one. Its values do not matter. Only what
   * the capabilities name is asked for.
   */
  M newModel(StateDict<ArrayTensor> like);

  /** Frees a model that {@link #newModel} returned. */
  void release(M model);

  /** Returns the versions of the framework and its natives, for the record. */
  default String version() {
    return "";
  }

  /**
   * Returns a transposed view of a tensor of two dimensions: asked for without {@link
   * Capability#STRIDED}, to see it refused. Empty where the framework has no such views.
   */
  default Optional<T> transposed(T tensor) {
    return Optional.empty();
  }

  /**
   * Gives the tensors of a model other memory with the same values, as the framework does when a
   * model moves or is loaded again; with {@link Capability#MOVING}.
   */
  default void relocate(M model) {
    throw new UnsupportedOperationException("MOVING is declared, but relocate is not implemented");
  }

  /** Returns a device beside the host, with {@link Capability#OTHER_DEVICES}. */
  default Device otherDevice() {
    throw new UnsupportedOperationException(
        "OTHER_DEVICES is declared, but otherDevice is not implemented");
  }

  /**
   * Returns how many bytes of memory outside the Java heap the framework says are in use, with
   * {@link Capability#COUNTED_MEMORY}.
   */
  default long nativeBytes() {
    throw new UnsupportedOperationException(
        "COUNTED_MEMORY is declared, but nativeBytes is not implemented");
  }

  /**
   * Starts an average; to be overridden where a backend needs something around the start.
   *
   * @param builder has the model's module, where the rule needs one
   * @param config everything else
   */
  default ModelEma<M> start(ModelEma.Builder<M> builder, EmaConfig config, M model) {
    return builder.config(config).build(model);
  }
}
