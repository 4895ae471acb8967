package io.github.ema4j.benchmarks;

import io.github.ema4j.StateDict;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;

/** Makes models of tensors. */
final class Models {

  private Models() {}

  /** Returns tensors as a model by themselves. */
  static <T> StateDict<T> stateDict(TensorBackend<T> backend, List<T> tensors) {
    StateDict.Builder<T> builder = StateDict.builder(backend);
    for (int i = 0; i < tensors.size(); i++) {
      builder.parameter(name(i), tensors.get(i));
    }
    return builder.build();
  }

  /** Returns the name of a parameter that has none of its own. */
  static String name(int index) {
    return "parameter" + index;
  }
}
