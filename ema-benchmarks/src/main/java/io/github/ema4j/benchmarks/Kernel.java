package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/** The kernels of which ema4j has a choice. */
enum Kernel {
  PORTABLE,
  SIMD;

  /** Returns those that run in this JVM, as ema4j itself finds out. */
  static ImmutableList<Kernel> available() {
    StateDict<ArrayTensor> model =
        Models.stateDict(ArrayBackend.instance(), List.of(ArrayTensor.of(new float[1], 1)));
    try {
      SIMD.with(1, () -> ModelEma.builder(ArrayBackend.adapter()).build(model)).close();
      return ImmutableList.of(PORTABLE, SIMD);
    } catch (IllegalStateException e) {
      return ImmutableList.of(PORTABLE);
    }
  }

  /** Returns the one that is taken by default. */
  static Kernel fastest() {
    ImmutableList<Kernel> available = available();
    return available.get(available.size() - 1);
  }

  /** Returns an average that was made under the settings; it keeps them. */
  <E> E with(int threads, Supplier<E> average) {
    System.setProperty("ema.kernel", label());
    System.setProperty("ema.threads", Integer.toString(threads));
    try {
      return average.get();
    } finally {
      System.clearProperty("ema.kernel");
      System.clearProperty("ema.threads");
    }
  }

  /** Returns what the tables call it. */
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
