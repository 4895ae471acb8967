package io.github.ema4j.testkit;

import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;

/** Models of arrays, and values for them that a seed determines on every JDK. */
final class SeededModels {
  /** Around the widths of vectors and the edges of blocks. */
  private static final int[] SIZES = {
    0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 4095,
    4096, 4099
  };

  private static final int ABOVE_64_KI = 65_551;

  private static final long[][] SHAPES = {
    {}, {1}, {5}, {3, 4}, {4, 1, 3}, {2, 3, 2, 3}, {2, 1, 3, 2, 2}, {0, 3}, {2, 0, 5}
  };

  private static final double[] SPECIALS = {
    0.0,
    -0.0,
    1,
    -1,
    Double.NaN,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    Float.MIN_VALUE,
    -Float.MIN_VALUE,
    Float.MIN_NORMAL,
    Double.MAX_VALUE,
    -Double.MAX_VALUE,
    Double.MIN_VALUE,
    Double.MIN_NORMAL
  };

  /** The ranges that values come from. */
  enum Values {
    /** Magnitudes of weights. */
    ORDINARY,
    /** Every finite number, from subnormal to the largest. */
    WIDE,
    /** The same, and signed zeros, NaN and infinities among them. */
    SPECIAL
  }

  /** Generators of neighbouring seeds begin alike; this keeps seeds apart. */
  private static final long SPREAD = 0x9E37_79B9_7F4A_7C15L;

  private final Set<Capability> capabilities;

  /** Makes models of what a backend has. */
  SeededModels(Set<Capability> capabilities) {
    this.capabilities = capabilities;
  }

  /** Returns one entry for each size that may go wrong. */
  StateDict<ArrayTensor> sizes(ElementType type) {
    StateDict.Builder<ArrayTensor> dict = StateDict.builder(ArrayBackend.instance());
    for (int size : SIZES) {
      if (size > 0 || capabilities.contains(Capability.EMPTY)) {
        dict.add("size." + size, tensor(type, size), role(type));
      }
    }
    return dict.build();
  }

  /** Returns one entry that is longer than whatever blocks it is averaged in. */
  StateDict<ArrayTensor> aboveBlocks(ElementType type) {
    return StateDict.builder(ArrayBackend.instance())
        .add("size." + ABOVE_64_KI, tensor(type, ABOVE_64_KI), role(type))
        .build();
  }

  /** Returns entries of 0 to 5 dimensions. */
  StateDict<ArrayTensor> shapes(ElementType type) {
    StateDict.Builder<ArrayTensor> dict = StateDict.builder(ArrayBackend.instance());
    for (long[] shape : SHAPES) {
      TensorSpec spec = TensorSpec.contiguous(type, shape);
      if (spec.elements() > 0 || capabilities.contains(Capability.EMPTY)) {
        dict.add("shape." + spec.shape(), tensor(type, shape), role(type));
      }
    }
    return dict.build();
  }

  /** Returns a small network: weights, running statistics and, where there are such, a counter. */
  StateDict<ArrayTensor> network() {
    StateDict.Builder<ArrayTensor> dict = StateDict.builder(ArrayBackend.instance());
    dict.parameter("first.weight", tensor(ElementType.F32, 4, 3))
        .parameter("first.bias", tensor(ElementType.F32, 4))
        .statistic("norm.running_mean", tensor(ElementType.F32, 4))
        .statistic("norm.running_var", tensor(ElementType.F32, 4));
    if (capabilities.contains(Capability.I64)) {
      dict.counter("norm.steps", tensor(ElementType.I64));
    }
    return dict.parameter("last.weight", tensor(ElementType.F32, 2, 4)).build();
  }

  /** Returns entries of which the first and the third are one tensor. */
  StateDict<ArrayTensor> tied() {
    ArrayTensor shared = tensor(ElementType.F32, 5);
    return StateDict.builder(ArrayBackend.instance())
        .parameter("embedding", shared)
        .parameter("bias", tensor(ElementType.F32, 3))
        .parameter("head", shared)
        .build();
  }

  /** Returns entries whose dimensions lie in memory in another order than row by row. */
  StateDict<ArrayTensor> transposed(ElementType type) {
    return StateDict.builder(ArrayBackend.instance())
        .add("columns", permuted(type, new long[] {3, 5}, new long[] {1, 3}), role(type))
        .add("channels", permuted(type, new long[] {2, 3, 4}, new long[] {12, 1, 3}), role(type))
        .build();
  }

  private static ArrayTensor permuted(ElementType type, long[] shape, long[] strides) {
    Object array = tensor(type, Arrays.stream(shape).reduce(1, (a, b) -> a * b)).array();
    return ArrayTensor.view(type, array, 0, shape, strides);
  }

  /** Returns one matrix. */
  StateDict<ArrayTensor> matrix() {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("matrix", tensor(ElementType.F32, 3, 4))
        .build();
  }

  /** Returns one entry of 40 elements. */
  StateDict<ArrayTensor> vector(ElementType type) {
    return StateDict.builder(ArrayBackend.instance())
        .add("vector", tensor(type, 40), role(type))
        .build();
  }

  private static Role role(ElementType type) {
    return type.isFloating() ? Role.PARAMETER : Role.COUNTER;
  }

  /** Returns a row-major tensor of zeros. */
  static ArrayTensor tensor(ElementType type, long... shape) {
    return ArrayBackend.instance().allocate(List.of(TensorSpec.contiguous(type, shape))).get(0);
  }

  /** Returns a copy of a model, strides and ties kept, with values of a generator. */
  static StateDict<ArrayTensor> filled(StateDict<ArrayTensor> like, long seed, Values values) {
    StateDict<ArrayTensor> copy = ArrayBackend.adapter().copy(like);
    fill(copy, new Random(seed * SPREAD), values);
    return copy;
  }

  /** Gives a model the next values of a generator. */
  static void fill(StateDict<ArrayTensor> model, Random random, Values values) {
    for (Entry<ArrayTensor> entry : model.entries()) {
      long[] bits = new long[(int) entry.spec().elements()];
      for (int i = 0; i < bits.length; i++) {
        bits[i] = bits(entry.spec().type(), random, values);
      }
      HostTensors.write(ArrayBackend.instance(), entry.tensor(), bits);
    }
  }

  private static long bits(ElementType type, Random random, Values values) {
    if (!type.isFloating()) {
      return type == ElementType.BOOL ? random.nextInt(2) : random.nextInt(100);
    } else if (values == Values.ORDINARY) {
      return Oracle.bits(type, (random.nextLong() >> 11) * 0x1p-52);
    } else if (values == Values.SPECIAL && random.nextBoolean()) {
      return Oracle.bits(type, SPECIALS[random.nextInt(SPECIALS.length)]);
    }
    double wide;
    do {
      wide = Oracle.value(type, random.nextLong() >> (Long.SIZE - 8 * type.bytes()));
    } while (!Double.isFinite(wide));
    return Oracle.bits(type, wide);
  }
}
