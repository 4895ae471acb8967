package io.github.ema4j.spi;

import io.github.ema4j.ElementType;
import java.nio.Buffer;

/**
 * The averaging arithmetic on runs of neighbouring elements in host memory, for machines on which
 * it can be done faster than core does it itself. It has no choice of results: every bit is what
 * {@link io.github.ema4j.AveragingRule} says, NaNs excepted.
 *
 * <p>A kernel works on its own views of buffers. Buffers are those of {@link HostMemory}, in native
 * byte order; indices count from their element 0, wherever their position is. Thread-safe: several
 * threads work on parts of a tensor.
 *
 * @param <V> what the kernel works on
 */
public interface RunKernel<V> {

  /** Returns a short name for the log, such as {@code simd}. */
  String name();

  /** Tells whether averages of one type from models of another are this kernel's business. */
  boolean takes(ElementType averageType, ElementType modelType);

  /** Returns what the other methods work on; it is kept with the buffer and used many times. */
  V view(Buffer buffer);

  /**
   * Averages by {@link io.github.ema4j.AveragingRule#LERP}.
   *
   * @param elements how many elements there are from each index on
   * @param weight of the model, in [0, 1]; rounded to the average's type
   * @param flush whether results below the least normal number become zeros of the same sign
   */
  void lerp(
      ElementType averageType,
      V averages,
      int averageIndex,
      ElementType modelType,
      V models,
      int modelIndex,
      int elements,
      double weight,
      boolean flush);

  /**
   * Averages by {@link io.github.ema4j.AveragingRule#WEIGHTED_SUM}.
   *
   * @param elements how many elements there are from each index on
   * @param decay the factor of the average; rounded to its type
   * @param weight the factor of the model; rounded to the average's type
   * @param flush whether results below the least normal number become zeros of the same sign
   */
  void weightedSum(
      ElementType averageType,
      V averages,
      int averageIndex,
      ElementType modelType,
      V models,
      int modelIndex,
      int elements,
      double decay,
      double weight,
      boolean flush);

  /** Tells whether elements, of a type that it takes as a model's, are neither NaN nor infinite. */
  boolean isFinite(ElementType modelType, V models, int modelIndex, int elements);
}
