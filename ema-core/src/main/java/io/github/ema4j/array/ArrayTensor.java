package io.github.ema4j.array;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import java.lang.reflect.Array;

/**
 * A tensor over a Java array that it does not copy: what one writes to the array is in the tensor,
 * and an update of the tensor is in the array.
 *
 * <p>Arrays are {@code double[]} for F64, {@code float[]} for F32, {@code long[]}, {@code int[]}
 * and {@code short[]} for I64, I32 and I16, {@code short[]} holding the bits for F16 and BF16,
 * {@code byte[]} for I8, U8 and BOOL.
 */
public final class ArrayTensor {
  private final Object array;
  private final int offset;
  private final TensorSpec spec;
  private boolean released;

  private ArrayTensor(Object array, int offset, TensorSpec spec) {
    this.array = array;
    this.offset = offset;
    this.spec = spec;
  }

  /**
   * Returns a row-major tensor over a whole array of float32.
   *
   * @throws IllegalArgumentException if the shape has not as many elements as the array
   */
  public static ArrayTensor of(float[] values, long... shape) {
    return of(ElementType.F32, values, shape);
  }

  /**
   * Returns a row-major tensor over a whole array of float64.
   *
   * @throws IllegalArgumentException if the shape has not as many elements as the array
   */
  public static ArrayTensor of(double[] values, long... shape) {
    return of(ElementType.F64, values, shape);
  }

  /**
   * Returns a row-major tensor over a whole array of int64.
   *
   * @throws IllegalArgumentException if the shape has not as many elements as the array
   */
  public static ArrayTensor of(long[] values, long... shape) {
    return of(ElementType.I64, values, shape);
  }

  /**
   * Returns a row-major tensor over a whole array.
   *
   * @param type the type of the elements
   * @param array the array that holds them
   * @param shape the sizes; none for a 0-d tensor of one element
   * @throws IllegalArgumentException if the array is not of the kind for this type, or the shape
   *     has not as many elements as the array
   */
  public static ArrayTensor of(ElementType type, Object array, long... shape) {
    TensorSpec spec = TensorSpec.contiguous(type, shape);
    checkKind(type, array);
    int length = Array.getLength(array);
    checkArgument(
        spec.elements() == length,
        "shape %s has %s elements, but the array has %s",
        spec.shape(),
        spec.elements(),
        length);
    return new ArrayTensor(array, 0, spec);
  }

  /**
   * Returns a view into an array with any strides, such as a slice or a transposition.
   *
   * @param type the type of the elements
   * @param array the array that holds them
   * @param offset the index of the first element
   * @param shape the sizes
   * @param strides for each size, how many array elements apart neighbours lie
   * @throws IllegalArgumentException if the array is not of the kind for this type, the view leaves
   *     it, or two of its elements are the same one
   */
  public static ArrayTensor view(
      ElementType type, Object array, int offset, long[] shape, long[] strides) {
    TensorSpec spec =
        new TensorSpec(
            type, ImmutableLongArray.copyOf(shape), ImmutableLongArray.copyOf(strides), Device.CPU);
    checkKind(type, array);
    int length = Array.getLength(array);
    checkArgument(
        offset >= 0 && spec.extent() <= length - offset,
        "a view of %s elements' room at offset %s leaves the array of length %s",
        spec.extent(),
        offset,
        length);
    checkArgument(
        spec.isNonOverlapping(),
        "shape %s with strides %s has elements that share memory; copy the view first",
        spec.shape(),
        spec.strides());
    return new ArrayTensor(array, offset, spec);
  }

  /** Returns shape, type and strides. */
  public TensorSpec spec() {
    return spec;
  }

  /**
   * Returns the array that the tensor lies in, not a copy.
   *
   * @throws IllegalStateException if the tensor belonged to an average that is closed
   */
  public Object array() {
    checkState(!released, "the tensor was released with the average that owned it");
    return array;
  }

  /** Returns the index of the first element in the array. */
  public int offset() {
    return offset;
  }

  void release() {
    released = true;
  }

  private static void checkKind(ElementType type, Object array) {
    Class<?> expected =
        switch (type) {
          case F64 -> double[].class;
          case F32 -> float[].class;
          case I64 -> long[].class;
          case I32 -> int[].class;
          case F16, BF16, I16 -> short[].class;
          case I8, U8, BOOL -> byte[].class;
        };
    checkArgument(
        expected.isInstance(array),
        "elements of type %s lie in a %s, but the array is a %s",
        type,
        expected.getSimpleName(),
        array.getClass().getSimpleName());
  }
}
