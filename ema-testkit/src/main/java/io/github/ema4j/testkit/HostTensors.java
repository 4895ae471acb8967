package io.github.ema4j.testkit;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.TensorBackend;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;

/** Reads and writes tensors of any backend element by element, as bits; slow and plain. */
final class HostTensors {

  private HostTensors() {}

  /** Copies the elements of one tensor to another of the same type and shape. */
  static <S, T> void copy(TensorBackend<S> from, S source, TensorBackend<T> to, T target) {
    write(to, target, bits(from, source));
  }

  /** Writes the bits of all elements in row-major order. */
  static <T> void write(TensorBackend<T> backend, T tensor, long[] bits) {
    TensorSpec spec = backend.describe(tensor);
    HostMemory memory = backend.memory(tensor);
    boolean rowMajor = spec.equals(spec.withRowMajorStrides());
    for (int i = 0; i < bits.length; i++) {
      long offset = rowMajor ? i : offset(spec, i);
      put(memory.segmentAt(offset), memory.indexAt(offset), bits[i]);
    }
  }

  /** Returns the bits of all elements in row-major order. */
  static <T> long[] bits(TensorBackend<T> backend, T tensor) {
    TensorSpec spec = backend.describe(tensor);
    HostMemory memory = backend.memory(tensor);
    long[] bits = new long[Math.toIntExact(spec.elements())];
    boolean rowMajor = spec.equals(spec.withRowMajorStrides());
    for (int i = 0; i < bits.length; i++) {
      long offset = rowMajor ? i : offset(spec, i);
      bits[i] = get(memory.segmentAt(offset), memory.indexAt(offset));
    }
    return bits;
  }

  private static long offset(TensorSpec spec, long rowMajorIndex) {
    long offset = 0;
    long rest = rowMajorIndex;
    for (int dimension = spec.shape().length() - 1; dimension >= 0; dimension--) {
      long size = spec.shape().get(dimension);
      offset += rest % size * spec.strides().get(dimension);
      rest /= size;
    }
    return offset;
  }

  private static long get(Buffer buffer, int index) {
    if (buffer instanceof DoubleBuffer doubles) {
      return Double.doubleToRawLongBits(doubles.get(index));
    } else if (buffer instanceof FloatBuffer floats) {
      return Float.floatToRawIntBits(floats.get(index));
    } else if (buffer instanceof LongBuffer longs) {
      return longs.get(index);
    } else if (buffer instanceof IntBuffer ints) {
      return ints.get(index);
    } else if (buffer instanceof ShortBuffer shorts) {
      return shorts.get(index);
    }
    return ((ByteBuffer) buffer).get(index);
  }

  private static void put(Buffer buffer, int index, long bits) {
    if (buffer instanceof DoubleBuffer doubles) {
      doubles.put(index, Double.longBitsToDouble(bits));
    } else if (buffer instanceof FloatBuffer floats) {
      floats.put(index, Float.intBitsToFloat((int) bits));
    } else if (buffer instanceof LongBuffer longs) {
      longs.put(index, bits);
    } else if (buffer instanceof IntBuffer ints) {
      ints.put(index, (int) bits);
    } else if (buffer instanceof ShortBuffer shorts) {
      shorts.put(index, (short) bits);
    } else {
      ((ByteBuffer) buffer).put(index, (byte) bits);
    }
  }
}
