package io.github.ema4j.internal;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.RunKernel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The exact arithmetic on host memory, whatever framework owns it.
 *
 * <p>Elements pass in blocks through arrays that stay in the first-level cache, where the compiler
 * turns the loops into vector instructions; runs of neighbours go to a {@link RunKernel} where
 * there is one. Nothing is allocated from one call to the next. The arithmetic is {@link
 * AveragingRule}'s: in double for a float64 average, in float otherwise. Not thread-safe: a kernel
 * owns its blocks.
 */
final class HostKernel {
  /** Twice as many, or half, take longer: docs/performance/portable-kernel.md. */
  private static final int BLOCK = 512;

  /**
   * So many elements of a model stay in a cache while they are averaged several times. In fewer,
   * each average would be left soon after the processor has begun to fetch ahead.
   */
  private static final int SHARED = 1 << 18;

  private final @Nullable RunKernel<?> runs;
  private final float[] averages = new float[BLOCK];
  private final float[] models = new float[BLOCK];
  private final short[] halves = new short[BLOCK];
  private final double[] wideAverages = new double[BLOCK];
  private final double[] wideModels = new double[BLOCK];
  private final Averaging averaging = new Averaging();
  private final Copying copying = new Copying();
  private final Looking looking = new Looking();

  /**
   * Makes a kernel that leaves runs of neighbours to the one that is configured, if there is one.
   */
  HostKernel() {
    this(RunKernels.configured().orElse(null));
  }

  HostKernel(@Nullable RunKernel<?> runs) {
    this.runs = runs;
  }

  /** Returns a kernel like this one for another thread. */
  HostKernel another() {
    return new HostKernel(runs);
  }

  /**
   * Averages {@code right} into each of several memories of one type, in stretches of {@code right}
   * that are read from memory once.
   *
   * @param lefts the averages, which {@code nest} visits alike
   */
  void average(
      HostMemory[] lefts,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      Blend blend) {
    average(lefts, leftType, right, rightType, nest, 0, nest.innermost(), blend);
  }

  /** Averages, of a flat nest, the elements from {@code begin} to {@code end}. */
  void average(
      HostMemory[] lefts,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      long begin,
      long end,
      Blend blend) {
    boolean inRuns = takesRuns(leftType, right, rightType, nest);
    averaging.prepare(leftType, rightType, blend, inRuns);
    long chunk = nest.isFlat() && lefts.length > 1 ? SHARED : Math.max(1, end - begin);
    long from = begin;
    do {
      long to = Math.min(end, from + chunk);
      for (int k = 0; k < lefts.length; k++) {
        averaging.index = k;
        averaging.visit(lefts[k], right, nest, from, to, inRuns ? Integer.MAX_VALUE : BLOCK);
      }
      from = to;
    } while (from < end);
  }

  private boolean takesRuns(
      ElementType averageType, HostMemory model, ElementType modelType, LoopNest nest) {
    return runs != null
        && runs.takes(averageType, modelType)
        && nest.isOfNeighbours()
        && model.isInNativeOrder();
  }

  /** Averages block by block. */
  private final class Averaging extends Blocks {
    private ElementType leftType = ElementType.F32;
    private ElementType rightType = ElementType.F32;
    private Blend blend = Blend.ofAverages(AveragingRule.LERP, false, 0);
    private boolean inRuns;

    /** Which average it is that is being written. */
    private int index;

    void prepare(ElementType newLeft, ElementType newRight, Blend newBlend, boolean newInRuns) {
      leftType = newLeft;
      rightType = newRight;
      blend = newBlend;
      inRuns = newInRuns;
    }

    @Override
    void visit(
        HostMemory left,
        long atLeft,
        int leftStride,
        HostMemory right,
        long atRight,
        int rightStride,
        int n) {
      if (runs != null && inRuns) {
        averageRun(runs, left, atLeft, right, atRight, n);
      } else if (leftType == ElementType.F64) {
        Elements.loadDoubles(right, rightType, atRight, rightStride, wideModels, n);
        Elements.loadDoubles(left, leftType, atLeft, leftStride, wideAverages, n);
        averageDoubles(n, index);
        Elements.storeDoubles(wideAverages, left, leftType, atLeft, leftStride, n);
      } else {
        Elements.loadFloats(right, rightType, atRight, rightStride, models, halves, n);
        Elements.loadFloats(left, leftType, atLeft, leftStride, averages, halves, n);
        averageFloats(n, index);
        Elements.storeFloats(averages, halves, left, leftType, atLeft, leftStride, n);
      }
    }

    private <V> void averageRun(
        RunKernel<V> kernel, HostMemory left, long atLeft, HostMemory right, long atRight, int n) {
      V average = left.viewAt(atLeft, kernel);
      V model = right.viewAt(atRight, kernel);
      int averageIndex = left.indexAt(atLeft);
      int modelIndex = right.indexAt(atRight);
      double weight = blend.weight(index);
      boolean flush = blend.flushes();
      switch (blend.rule()) {
        case LERP ->
            kernel.lerp(
                leftType, average, averageIndex, rightType, model, modelIndex, n, weight, flush);
        case WEIGHTED_SUM ->
            kernel.weightedSum(
                leftType,
                average,
                averageIndex,
                rightType,
                model,
                modelIndex,
                n,
                blend.decay(index),
                weight,
                flush);
      }
    }

    private void averageDoubles(int n, int k) {
      switch (blend.rule()) {
        case LERP -> Arithmetic.lerp(wideAverages, wideModels, n, blend.weight(k));
        case WEIGHTED_SUM ->
            Arithmetic.weightedSum(wideAverages, wideModels, n, blend.decay(k), blend.weight(k));
      }
      if (blend.flushes()) {
        Arithmetic.flush(wideAverages, n);
      }
    }

    private void averageFloats(int n, int k) {
      float weight = (float) blend.weight(k);
      float decay = (float) blend.decay(k);
      if (blend.rule() == AveragingRule.LERP && leftType.isFloating()) {
        Arithmetic.lerp(averages, models, n, weight);
      } else if (leftType.isHalf()) {
        Arithmetic.roundedWeightedSum(averages, models, n, decay, weight, leftType);
      } else {
        Arithmetic.weightedSum(averages, models, n, decay, weight);
      }
      if (blend.flushes()) {
        Arithmetic.flush(averages, n);
      }
    }
  }

  /** Copies {@code right} over {@code left}; between floating types, rounding once. */
  void copy(
      HostMemory left,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest) {
    copy(left, leftType, right, rightType, nest, 0, nest.innermost());
  }

  /** Copies, of a flat nest, the elements from {@code begin} to {@code end}. */
  void copy(
      HostMemory left,
      ElementType leftType,
      HostMemory right,
      ElementType rightType,
      LoopNest nest,
      long begin,
      long end) {
    copying.leftType = leftType;
    copying.rightType = rightType;
    copying.visit(left, right, nest, begin, end, leftType == rightType ? Integer.MAX_VALUE : BLOCK);
  }

  /** Copies block by block. */
  private final class Copying extends Blocks {
    private ElementType leftType = ElementType.F32;
    private ElementType rightType = ElementType.F32;

    @Override
    void visit(
        HostMemory left,
        long atLeft,
        int leftStride,
        HostMemory right,
        long atRight,
        int rightStride,
        int n) {
      if (leftType == rightType) {
        Elements.copy(leftType, right, atRight, rightStride, left, atLeft, leftStride, n);
      } else if (leftType == ElementType.F64 || rightType == ElementType.F64) {
        Elements.loadDoubles(right, rightType, atRight, rightStride, wideModels, n);
        Elements.storeDoubles(wideModels, left, leftType, atLeft, leftStride, n);
      } else {
        Elements.loadFloats(right, rightType, atRight, rightStride, models, halves, n);
        Elements.storeFloats(models, halves, left, leftType, atLeft, leftStride, n);
      }
    }
  }

  /**
   * Tells whether all elements are finite.
   *
   * @param nest the loops over the tensor, on both sides
   */
  boolean isFinite(HostMemory memory, ElementType type, LoopNest nest) {
    return isFinite(memory, type, nest, 0, nest.innermost());
  }

  /** Tells whether, of a flat nest, the elements from {@code begin} to {@code end} are finite. */
  boolean isFinite(HostMemory memory, ElementType type, LoopNest nest, long begin, long end) {
    boolean inRuns = takesRuns(widest(type), memory, type, nest);
    looking.prepare(type, inRuns);
    looking.visit(memory, memory, nest, begin, end, inRuns ? Integer.MAX_VALUE : BLOCK);
    return looking.foundFiniteOnly();
  }

  private static ElementType widest(ElementType type) {
    return type == ElementType.F64 ? type : ElementType.F32;
  }

  /** Looks for what is not finite, block by block: in sums, not with a branch for each element. */
  private final class Looking extends Blocks {
    private ElementType type = ElementType.F32;
    private boolean inRuns;
    private boolean finite;

    void prepare(ElementType newType, boolean newInRuns) {
      type = newType;
      inRuns = newInRuns;
      finite = true;
      if (!inRuns && type == ElementType.F64) {
        Arrays.fill(wideAverages, 0);
      } else if (!inRuns) {
        Arrays.fill(averages, 0);
      }
    }

    @Override
    void visit(
        HostMemory same,
        long sameAt,
        int sameStride,
        HostMemory memory,
        long at,
        int stride,
        int n) {
      if (runs != null && inRuns) {
        finite &= isFinite(runs, memory, at, n);
      } else if (type == ElementType.F64) {
        Elements.loadDoubles(memory, type, at, stride, wideModels, n);
        Arithmetic.addNonFinite(wideAverages, wideModels, n);
      } else {
        Elements.loadFloats(memory, type, at, stride, models, halves, n);
        Arithmetic.addNonFinite(averages, models, n);
      }
    }

    private <V> boolean isFinite(RunKernel<V> kernel, HostMemory memory, long at, int n) {
      return kernel.isFinite(type, memory.viewAt(at, kernel), memory.indexAt(at), n);
    }

    boolean foundFiniteOnly() {
      if (inRuns) {
        return finite;
      }
      return type == ElementType.F64
          ? !Arithmetic.hasNaN(wideAverages)
          : !Arithmetic.hasNaN(averages);
    }
  }

  /** Returns a hash of some elements, whose offsets are given. */
  static long fingerprint(
      HostMemory memory, ElementType type, long begin, ImmutableLongArray offsets) {
    long hash = 1;
    for (int i = 0; i < offsets.length(); i++) {
      hash = 31 * hash + Elements.bits(memory, type, begin + offsets.get(i));
    }
    return hash;
  }
}
