package io.github.ema4j.internal;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.util.Arrays;

/**
 * The exact arithmetic on host memory, whatever framework owns it.
 *
 * <p>Elements pass in blocks through arrays that stay in the first-level cache, where the compiler
 * turns the loops into vector instructions; nothing is allocated that grows with a tensor. The
 * arithmetic is {@link AveragingRule}'s: in double for a float64 average, in float otherwise. Not
 * thread-safe: a kernel owns its blocks.
 */
final class HostKernel {
  private static final int BLOCK = 1024;
  private static final long FINGERPRINT_PARTS = 3;

  private final float[] averages = new float[BLOCK];
  private final float[] models = new float[BLOCK];
  private final double[] wideAverages = new double[BLOCK];
  private final double[] wideModels = new double[BLOCK];

  /** Moves elements of one side to or towards the other's, a run at a time. */
  private interface Step {
    void run(
        Buffer left,
        int leftIndex,
        int leftStride,
        Buffer right,
        int rightIndex,
        int rightStride,
        int n);
  }

  /** Averages {@code right} into {@code left}. */
  void average(
      HostMemory left,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      double decay,
      AveragingRule rule) {
    walk(left, right, nest, averaging(leftType, rightType, decay, 1.0 - decay, rule));
  }

  /** Moves {@code left} towards {@code right} by a weight, by the formula of {@code LERP}. */
  void moveTowards(
      HostMemory left,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      double weight) {
    walk(
        left,
        right,
        nest,
        averaging(leftType, rightType, 1.0 - weight, weight, AveragingRule.LERP));
  }

  /** Copies {@code right} over {@code left}; between floating types, rounding once. */
  void copy(
      HostMemory left,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest) {
    walk(left, right, nest, copying(leftType, rightType));
  }

  /**
   * Tells whether all elements are finite.
   *
   * @param nest the loops over the tensor, on both sides
   */
  boolean isFinite(HostMemory memory, ElementType type, LoopNest nest) {
    // x * 0 is NaN just where x is not finite: sums of it tell so without a branch for each
    // element.
    if (type == ElementType.F64) {
      Arrays.fill(wideAverages, 0);
      walk(memory, memory, nest, this::addWideZeros);
      return Arrays.stream(wideAverages).noneMatch(Double::isNaN);
    }
    Arrays.fill(averages, 0);
    walk(
        memory,
        memory,
        nest,
        (buffer, index, stride, same, sameIndex, sameStride, n) -> {
          Elements.loadFloats(buffer, type, index, stride, models, n);
          for (int i = 0; i < n; i++) {
            averages[i] += models[i] * 0;
          }
        });
    for (float sum : averages) {
      if (Float.isNaN(sum)) {
        return false;
      }
    }
    return true;
  }

  private void addWideZeros(
      Buffer buffer, int index, int stride, Buffer same, int sameIndex, int sameStride, int n) {
    Elements.loadDoubles(buffer, ElementType.F64, index, stride, wideModels, n);
    for (int i = 0; i < n; i++) {
      wideAverages[i] += wideModels[i] * 0;
    }
  }

  /** Returns a hash of elements at both ends of a tensor's storage and between. */
  long fingerprint(HostMemory memory, TensorSpec spec) {
    long extent = spec.extent();
    if (extent == 0) {
      return 0;
    }
    long hash = 1;
    long parts = spec.isDense() ? FINGERPRINT_PARTS : 0; // elsewhere there may be no element
    for (long part = 0; part <= parts; part++) {
      long offset =
          parts == 0 ? 0 : (extent - 1) / parts * part + (extent - 1) % parts * part / parts;
      long bits = Elements.bits(memory.segmentAt(offset), spec.type(), memory.indexAt(offset));
      hash = 31 * hash + bits;
    }
    return hash;
  }

  private static void walk(HostMemory left, HostMemory right, LoopNest nest, Step step) {
    nest.forEachRun(
        (leftOffset, rightOffset, elements, leftStride, rightStride) -> {
          long done = 0;
          while (done < elements) {
            long atLeft = leftOffset + done * leftStride;
            long atRight = rightOffset + done * rightStride;
            long fit =
                Math.min(
                    fitting(left.remainingAt(atLeft), leftStride),
                    fitting(right.remainingAt(atRight), rightStride));
            int n = (int) Math.min(Math.min(BLOCK, elements - done), fit);
            step.run(
                left.segmentAt(atLeft),
                left.indexAt(atLeft),
                stride(leftStride, n),
                right.segmentAt(atRight),
                right.indexAt(atRight),
                stride(rightStride, n),
                n);
            done += n;
          }
        });
  }

  private static long fitting(long storage, long stride) {
    return (storage - 1) / stride + 1;
  }

  /** A stride over several elements fits an int, as they lie in one buffer; for one it is moot. */
  private static int stride(long stride, int n) {
    return n == 1 ? 1 : (int) stride;
  }

  private Step averaging(
      ElementType average, ElementType model, double decay, double weight, AveragingRule rule) {
    if (average == ElementType.F64) {
      return (left, leftIndex, leftStride, right, rightIndex, rightStride, n) -> {
        Elements.loadDoubles(left, average, leftIndex, leftStride, wideAverages, n);
        Elements.loadDoubles(right, model, rightIndex, rightStride, wideModels, n);
        switch (rule) {
          case LERP -> lerp(wideAverages, wideModels, n, weight);
          case WEIGHTED_SUM -> weightedSum(wideAverages, wideModels, n, decay, weight);
        }
        Elements.storeDoubles(wideAverages, left, average, leftIndex, leftStride, n);
      };
    }
    return (left, leftIndex, leftStride, right, rightIndex, rightStride, n) -> {
      Elements.loadFloats(left, average, leftIndex, leftStride, averages, n);
      Elements.loadFloats(right, model, rightIndex, rightStride, models, n);
      if (rule == AveragingRule.LERP && average.isFloating()) {
        lerp(averages, models, n, (float) weight);
      } else if (average.isHalf()) {
        roundedWeightedSum(averages, models, n, (float) decay, (float) weight, average);
      } else {
        weightedSum(averages, models, n, (float) decay, (float) weight);
      }
      Elements.storeFloats(averages, left, average, leftIndex, leftStride, n);
    };
  }

  private Step copying(ElementType to, ElementType from) {
    if (to == from) {
      return (left, leftIndex, leftStride, right, rightIndex, rightStride, n) ->
          Elements.copy(to, right, rightIndex, rightStride, left, leftIndex, leftStride, n);
    }
    if (to == ElementType.F64 || from == ElementType.F64) {
      return (left, leftIndex, leftStride, right, rightIndex, rightStride, n) -> {
        Elements.loadDoubles(right, from, rightIndex, rightStride, wideModels, n);
        Elements.storeDoubles(wideModels, left, to, leftIndex, leftStride, n);
      };
    }
    return (left, leftIndex, leftStride, right, rightIndex, rightStride, n) -> {
      Elements.loadFloats(right, from, rightIndex, rightStride, models, n);
      Elements.storeFloats(models, left, to, leftIndex, leftStride, n);
    };
  }

  private static void lerp(float[] e, float[] m, int n, float weight) {
    if (weight < 0.5f) {
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(weight, m[i] - e[i], e[i]);
      }
    } else {
      float rest = 1 - weight;
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(-(m[i] - e[i]), rest, m[i]);
      }
    }
  }

  private static void lerp(double[] e, double[] m, int n, double weight) {
    if (weight < 0.5) {
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(weight, m[i] - e[i], e[i]);
      }
    } else {
      double rest = 1 - weight;
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(-(m[i] - e[i]), rest, m[i]);
      }
    }
  }

  private static void weightedSum(float[] e, float[] m, int n, float decay, float weight) {
    for (int i = 0; i < n; i++) {
      e[i] = e[i] * decay + m[i] * weight;
    }
  }

  private static void weightedSum(double[] e, double[] m, int n, double decay, double weight) {
    for (int i = 0; i < n; i++) {
      e[i] = e[i] * decay + m[i] * weight;
    }
  }

  /**
   * The weighted sum with scalars and products rounded to the half type; the store rounds the sum.
   */
  private static void roundedWeightedSum(
      float[] e, float[] m, int n, float decay, float weight, ElementType type) {
    float d = Halves.round(type, decay);
    float w = Halves.round(type, weight);
    for (int i = 0; i < n; i++) {
      e[i] = Halves.round(type, e[i] * d) + Halves.round(type, m[i] * w);
    }
  }
}
