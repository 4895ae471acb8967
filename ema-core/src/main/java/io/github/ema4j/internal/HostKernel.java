package io.github.ema4j.internal;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.RunKernel;
import java.nio.Buffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

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

  /** So much of a model stays in the first-level cache while it is averaged several times. */
  private static final int SHARED_BLOCK = 2048;

  private static final long FINGERPRINT_PARTS = 3;

  private final @Nullable RunKernel runs;
  private final float[] averages = new float[BLOCK];
  private final float[] models = new float[BLOCK];
  private final double[] wideAverages = new double[BLOCK];
  private final double[] wideModels = new double[BLOCK];

  /**
   * Makes a kernel that leaves runs of neighbours to the one that is configured, if there is one.
   */
  HostKernel() {
    this(RunKernels.configured().orElse(null));
  }

  HostKernel(@Nullable RunKernel runs) {
    this.runs = runs;
  }

  /** Returns a kernel like this one for another thread. */
  HostKernel another() {
    return new HostKernel(runs);
  }

  /** Does something with a block of elements: of each left memory, and of the right one. */
  private interface Step {
    void run(long atLeft, int leftStride, long atRight, int rightStride, int n);
  }

  /**
   * Averages {@code right} into each of several memories of one type, reading it once.
   *
   * @param lefts the averages, which {@code nest} visits alike
   * @param decays one for each average
   */
  void average(
      HostMemory[] lefts,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      double[] decays,
      AveragingRule rule) {
    double[] weights = new double[decays.length];
    for (int k = 0; k < weights.length; k++) {
      weights[k] = 1.0 - decays[k];
    }
    average(lefts, leftType, right, rightType, nest, decays, weights, rule);
  }

  /** Moves {@code left} towards {@code right} by a weight, by the formula of {@code LERP}. */
  void moveTowards(
      HostMemory left,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      double weight) {
    average(
        new HostMemory[] {left},
        leftType,
        right,
        rightType,
        nest,
        new double[] {1.0 - weight},
        new double[] {weight},
        AveragingRule.LERP);
  }

  /** The same, with the weights of the models given too. */
  void average(
      HostMemory[] lefts,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      double[] decays,
      double[] weights,
      AveragingRule rule) {
    if (runs != null
        && runs.takes(leftType, rightType)
        && nest.isOfNeighbours()
        && right.isInNativeOrder()) {
      averageRuns(runs, lefts, leftType, right, rightType, nest, decays, weights, rule);
      return;
    }
    if (leftType == ElementType.F64) {
      walk(
          lefts,
          right,
          nest,
          (atLeft, leftStride, atRight, rightStride, n) -> {
            Elements.loadDoubles(right, rightType, atRight, rightStride, wideModels, n);
            for (int k = 0; k < lefts.length; k++) {
              Elements.loadDoubles(lefts[k], leftType, atLeft, leftStride, wideAverages, n);
              averageDoubles(n, decays[k], weights[k], rule);
              Elements.storeDoubles(wideAverages, lefts[k], leftType, atLeft, leftStride, n);
            }
          });
      return;
    }
    walk(
        lefts,
        right,
        nest,
        (atLeft, leftStride, atRight, rightStride, n) -> {
          Elements.loadFloats(right, rightType, atRight, rightStride, models, n);
          for (int k = 0; k < lefts.length; k++) {
            Elements.loadFloats(lefts[k], leftType, atLeft, leftStride, averages, n);
            averageFloats(leftType, n, decays[k], weights[k], rule);
            Elements.storeFloats(averages, lefts[k], leftType, atLeft, leftStride, n);
          }
        });
  }

  /**
   * Leaves the arithmetic to another kernel, for several averages in parts that stay in a cache.
   */
  private static void averageRuns(
      RunKernel runs,
      HostMemory[] lefts,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      double[] decays,
      double[] weights,
      AveragingRule rule) {
    walk(
        lefts,
        right,
        nest,
        lefts.length == 1 ? Integer.MAX_VALUE : SHARED_BLOCK,
        (atLeft, leftStride, atRight, rightStride, n) -> {
          Buffer models = right.segmentAt(atRight);
          int modelIndex = right.indexAt(atRight);
          for (int k = 0; k < lefts.length; k++) {
            Buffer averages = lefts[k].segmentAt(atLeft);
            int averageIndex = lefts[k].indexAt(atLeft);
            switch (rule) {
              case LERP ->
                  runs.lerp(
                      leftType,
                      averages,
                      averageIndex,
                      rightType,
                      models,
                      modelIndex,
                      n,
                      weights[k]);
              case WEIGHTED_SUM ->
                  runs.weightedSum(
                      leftType,
                      averages,
                      averageIndex,
                      rightType,
                      models,
                      modelIndex,
                      n,
                      decays[k],
                      weights[k]);
            }
          }
        });
  }

  private void averageDoubles(int n, double decay, double weight, AveragingRule rule) {
    switch (rule) {
      case LERP -> lerp(wideAverages, wideModels, n, weight);
      case WEIGHTED_SUM -> weightedSum(wideAverages, wideModels, n, decay, weight);
    }
  }

  private void averageFloats(
      ElementType type, int n, double decay, double weight, AveragingRule rule) {
    if (rule == AveragingRule.LERP && type.isFloating()) {
      lerp(averages, models, n, (float) weight);
    } else if (type.isHalf()) {
      roundedWeightedSum(averages, models, n, (float) decay, (float) weight, type);
    } else {
      weightedSum(averages, models, n, (float) decay, (float) weight);
    }
  }

  /** Copies {@code right} over {@code left}; between floating types, rounding once. */
  void copy(
      HostMemory left,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest) {
    Step step;
    if (leftType == rightType) {
      step =
          (atLeft, leftStride, atRight, rightStride, n) ->
              Elements.copy(leftType, right, atRight, rightStride, left, atLeft, leftStride, n);
    } else if (leftType == ElementType.F64 || rightType == ElementType.F64) {
      step =
          (atLeft, leftStride, atRight, rightStride, n) -> {
            Elements.loadDoubles(right, rightType, atRight, rightStride, wideModels, n);
            Elements.storeDoubles(wideModels, left, leftType, atLeft, leftStride, n);
          };
    } else {
      step =
          (atLeft, leftStride, atRight, rightStride, n) -> {
            Elements.loadFloats(right, rightType, atRight, rightStride, models, n);
            Elements.storeFloats(models, left, leftType, atLeft, leftStride, n);
          };
    }
    walk(new HostMemory[] {left}, right, nest, step);
  }

  /**
   * Tells whether all elements are finite.
   *
   * @param nest the loops over the tensor, on both sides
   */
  boolean isFinite(HostMemory memory, ElementType type, LoopNest nest) {
    if (runs != null
        && runs.takes(widest(type), type)
        && nest.isOfNeighbours()
        && memory.isInNativeOrder()) {
      return isFinite(runs, memory, type, nest);
    }
    // x * 0 is NaN just where x is not finite: sums of it tell so without a branch for each
    // element.
    if (type == ElementType.F64) {
      Arrays.fill(wideAverages, 0);
      walk(
          new HostMemory[0],
          memory,
          nest,
          (none, noStride, at, stride, n) -> {
            Elements.loadDoubles(memory, type, at, stride, wideModels, n);
            for (int i = 0; i < n; i++) {
              wideAverages[i] += wideModels[i] * 0;
            }
          });
      return Arrays.stream(wideAverages).noneMatch(Double::isNaN);
    }
    Arrays.fill(averages, 0);
    walk(
        new HostMemory[0],
        memory,
        nest,
        (none, noStride, at, stride, n) -> {
          Elements.loadFloats(memory, type, at, stride, models, n);
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

  private static boolean isFinite(
      RunKernel runs, HostMemory memory, ElementType type, LoopNest nest) {
    boolean[] finite = {true};
    walk(
        new HostMemory[0],
        memory,
        nest,
        Integer.MAX_VALUE,
        (none, noStride, at, stride, n) ->
            finite[0] &= runs.isFinite(type, memory.segmentAt(at), memory.indexAt(at), n));
    return finite[0];
  }

  private static ElementType widest(ElementType type) {
    return type == ElementType.F64 ? type : ElementType.F32;
  }

  /**
   * Returns a hash of elements at both ends of a tensor's storage and between.
   *
   * @param begin where in the memory the tensor's first element is
   */
  long fingerprint(HostMemory memory, long begin, TensorSpec spec) {
    long extent = spec.extent();
    if (extent == 0) {
      return 0;
    }
    long hash = 1;
    long parts = spec.isDense() ? FINGERPRINT_PARTS : 0; // elsewhere there may be no element
    for (long part = 0; part <= parts; part++) {
      long offset =
          parts == 0 ? 0 : (extent - 1) / parts * part + (extent - 1) % parts * part / parts;
      hash = 31 * hash + Elements.bits(memory, spec.type(), begin + offset);
    }
    return hash;
  }

  private static void walk(HostMemory[] lefts, HostMemory right, LoopNest nest, Step step) {
    walk(lefts, right, nest, BLOCK, step);
  }

  private static void walk(
      HostMemory[] lefts, HostMemory right, LoopNest nest, int block, Step step) {
    nest.forEachRun(
        (leftOffset, rightOffset, elements, leftStride, rightStride) -> {
          long done = 0;
          while (done < elements) {
            long atLeft = leftOffset + done * leftStride;
            long atRight = rightOffset + done * rightStride;
            long fit = fitting(right.remainingAt(atRight), rightStride);
            for (HostMemory left : lefts) {
              fit = Math.min(fit, fitting(left.remainingAt(atLeft), leftStride));
            }
            int n = (int) Math.min(Math.min(block, elements - done), fit);
            step.run(atLeft, stride(leftStride, n), atRight, stride(rightStride, n), n);
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
