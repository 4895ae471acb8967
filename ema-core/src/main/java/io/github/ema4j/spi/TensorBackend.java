package io.github.ema4j.spi;

import io.github.ema4j.TensorSpec;
import java.util.List;

/**
 * The few operations on a framework's tensors that averaging needs. A backend says where tensors
 * lie; the arithmetic is core's, on host memory, so that all backends give the same bits.
 *
 * <p>Thread-safe as far as the framework is: core calls from the thread of the user.
 *
 * @param <T> the framework's tensor type
 */
public interface TensorBackend<T> {

  /** Returns the backend's short name for messages and reports, such as {@code array}. */
  String name();

  /** Returns the type that this backend's tensors have. */
  Class<T> tensorType();

  /**
   * Describes a live tensor.
   *
   * @throws IllegalStateException if the tensor is closed or released
   * @throws UnsupportedOperationException if the backend cannot average tensors of its type, device
   *     or layout, saying which and what helps
   */
  TensorSpec describe(T tensor);

  /**
   * Tells where a live tensor's elements are.
   *
   * @throws IllegalStateException if the tensor is closed or released
   */
  Storage storage(T tensor);

  /**
   * Opens a live tensor's elements for reading and writing in place; never a copy.
   *
   * @throws IllegalStateException if the tensor is closed or released
   */
  HostMemory memory(T tensor);

  /**
   * Opens a live tensor's elements again. A backend that can tell cheaply that nothing has changed
   * returns what it returned before, so that updates leave nothing to the garbage collector.
   *
   * @param before what was returned for this tensor when it was opened last
   * @throws IllegalStateException if the tensor is closed or released
   */
  default HostMemory memory(T tensor, HostMemory before) {
    return memory(tensor);
  }

  /**
   * Tells whether a live tensor's elements are where they were: whether {@link #storage} would
   * return what it returned before.
   *
   * @throws IllegalStateException if the tensor is closed or released
   */
  default boolean isAt(T tensor, Storage before) {
    return storage(tensor).equals(before);
  }

  /**
   * Allocates tensors that need no gradient, of unspecified content, with the given types, shapes
   * and devices, and the given strides where the framework has strided tensors (row-major ones
   * otherwise). The caller owns them until {@link #release}.
   *
   * @param specs what to allocate; its strides are dense
   * @throws UnsupportedOperationException if a type or device is not to be had; nothing then stays
   *     allocated
   */
  List<T> allocate(List<TensorSpec> specs);

  /** Frees tensors that one call of {@link #allocate} returned. Using them later is an error. */
  void release(List<T> tensors);

  /** Runs the user's work on tensors without recording gradients, on the calling thread. */
  default void withoutGradient(Runnable work) {
    work.run();
  }
}
