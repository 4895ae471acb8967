package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.math.LongMath;
import com.google.common.primitives.ImmutableLongArray;
import java.util.stream.IntStream;

/**
 * Describes a tensor without its values.
 *
 * @param type the type of its elements
 * @param shape its sizes; empty for a 0-d tensor, which has one element
 * @param strides for each dimension, how many elements apart neighbours lie
 * @param device where its memory is
 */
public record TensorSpec(
    ElementType type, ImmutableLongArray shape, ImmutableLongArray strides, Device device) {

  /**
   * Checks that the parts fit together.
   *
   * @throws IllegalArgumentException if there is not one stride for each dimension, a size or
   *     stride is negative, or the tensor has or spans more than 2^63 - 1 elements
   */
  public TensorSpec {
    checkArgument(
        shape.length() == strides.length(),
        "shape %s and strides %s differ in length",
        shape,
        strides);
    for (int i = 0; i < shape.length(); i++) {
      checkArgument(shape.get(i) >= 0, "shape %s has a negative size", shape);
      checkArgument(strides.get(i) >= 0, "strides %s have a negative stride", strides);
    }
    extent(shape, strides);
  }

  /** Returns the description of a row-major tensor in host memory. */
  public static TensorSpec contiguous(ElementType type, long... shape) {
    ImmutableLongArray sizes = ImmutableLongArray.copyOf(shape);
    return new TensorSpec(type, sizes, rowMajor(sizes), Device.CPU);
  }

  /** Returns the same description with elements of another type. */
  public TensorSpec withType(ElementType newType) {
    return new TensorSpec(newType, shape, strides, device);
  }

  /** Returns the same description on another device. */
  public TensorSpec withDevice(Device newDevice) {
    return new TensorSpec(type, shape, strides, newDevice);
  }

  /** Returns the same description with the strides of a row-major tensor. */
  public TensorSpec withRowMajorStrides() {
    return new TensorSpec(type, shape, rowMajor(shape), device);
  }

  /** Returns the number of elements: the product of the shape, 1 for a 0-d tensor. */
  public long elements() {
    return elements(shape);
  }

  /** Returns how many bytes the elements have together. */
  public long bytes() {
    return Math.multiplyExact(elements(), (long) type.bytes());
  }

  /**
   * Returns how many elements' room the tensor spans in its storage, from its first element to its
   * last: at least {@link #elements} unless elements share memory; 0 for an empty tensor.
   */
  public long extent() {
    return extent(shape, strides);
  }

  /**
   * Tells whether no two elements share memory, judged by nested strides: true for every slice,
   * transposition and permutation of a contiguous tensor, false for an expanded one.
   */
  public boolean isNonOverlapping() {
    int[] byStride =
        IntStream.range(0, shape.length())
            .filter(i -> shape.get(i) > 1)
            .boxed()
            .sorted((a, b) -> Long.compare(strides.get(a), strides.get(b)))
            .mapToInt(Integer::intValue)
            .toArray();
    long inner = 0;
    for (int i : byStride) {
      if (strides.get(i) <= inner) {
        return elements() == 0;
      }
      inner += (shape.get(i) - 1) * strides.get(i);
    }
    return true;
  }

  /** Tells whether the elements fill their span without gaps, in whatever order of dimensions. */
  public boolean isDense() {
    return extent() == elements() && isNonOverlapping();
  }

  private static long elements(ImmutableLongArray shape) {
    long product = 1;
    boolean empty = shape.contains(0);
    for (int i = 0; i < shape.length() && !empty; i++) {
      try {
        product = Math.multiplyExact(product, shape.get(i));
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException("shape " + shape + " has too many elements", e);
      }
    }
    return empty ? 0 : product;
  }

  private static long extent(ImmutableLongArray shape, ImmutableLongArray strides) {
    if (elements(shape) == 0) {
      return 0;
    }
    long extent = 1;
    try {
      for (int i = 0; i < shape.length(); i++) {
        extent = Math.addExact(extent, Math.multiplyExact(shape.get(i) - 1, strides.get(i)));
      }
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "shape " + shape + " with strides " + strides + " spans too many elements", e);
    }
    return extent;
  }

  private static ImmutableLongArray rowMajor(ImmutableLongArray shape) {
    long[] strides = new long[shape.length()];
    long stride = 1;
    for (int i = strides.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride = LongMath.saturatedMultiply(stride, Math.max(1, shape.get(i)));
    }
    return ImmutableLongArray.copyOf(strides);
  }
}
