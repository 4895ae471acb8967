package io.github.ema4j.torch;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What LibTorch's kinds of model have in common. Tensors and lists that it returns belong to the
 * scope that the caller has open, and die with it.
 *
 * @param <M> the kind of model
 */
interface Network<M extends Pointer> {

  /** A tensor under its full name. */
  record Named(String name, Tensor tensor) {

    /** Returns the name of the module that it belongs to; empty for the model itself. */
    String module() {
      return name.substring(0, Math.max(0, name.lastIndexOf('.')));
    }
  }

  /** Returns the names of the modules within a model, parents first, children in their order. */
  List<String> modules(M model);

  /** Returns all parameters, under each of their names. */
  List<Named> parameters(M model);

  /** Returns all buffers, under each of their names. */
  List<Named> buffers(M model);

  /** Returns the tensors of {@link #parameters}, and after them those of {@link #buffers}. */
  List<Tensor> tensors(M model);

  /**
   * Tells whether the tensors are the ones that they were.
   *
   * @param identities what {@link #identity} said of each, in the order of {@link #tensors}
   */
  default boolean hasTensors(M model, long[] identities) {
    List<Tensor> now = tensors(model);
    boolean same = now.size() == identities.length;
    for (int i = 0; i < identities.length && same; i++) {
      same = identity(now.get(i)) == identities[i];
    }
    return same;
  }

  /** Returns what a tensor is told from others by while one of its handles is open. */
  static long identity(Tensor tensor) {
    return tensor.unsafeGetTensorImpl().address();
  }

  /**
   * Returns a copy of a model.
   *
   * @throws UnsupportedOperationException if LibTorch cannot copy it
   */
  M copy(M model);

  /** Puts a model into evaluation mode. */
  void evaluate(M model);

  /** Frees a model. */
  default void close(M model) {
    model.close();
  }

  /** Reads a string; what is empty comes as null. */
  static String text(@Nullable BytePointer pointer) {
    return pointer == null ? "" : pointer.getString(UTF_8);
  }
}
