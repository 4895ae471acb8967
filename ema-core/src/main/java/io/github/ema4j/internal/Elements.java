package io.github.ema4j.internal;

import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;

/**
 * Moves runs of elements between memory and Java arrays, converting where types differ. A run is
 * {@code n} elements from an offset on, {@code stride} apart, within one segment; the array's side
 * is packed.
 */
final class Elements {

  private Elements() {}

  /**
   * Loads a run as floats.
   *
   * @param halves room for as many elements as {@code to} has: an array, unlike a buffer, is
   *     converted without a check for each element
   */
  static void loadFloats(
      HostMemory memory, ElementType type, long at, int stride, float[] to, short[] halves, int n) {
    Buffer from = memory.segmentAt(at);
    int index = memory.indexAt(at);
    switch (type) {
      case F32 -> {
        FloatBuffer floats = (FloatBuffer) from;
        if (stride == 1) {
          floats.get(index, to, 0, n);
        } else {
          for (int i = 0; i < n; i++) {
            to[i] = floats.get(index + i * stride);
          }
        }
      }
      case F64 -> {
        DoubleBuffer doubles = (DoubleBuffer) from;
        for (int i = 0; i < n; i++) {
          to[i] = (float) doubles.get(index + i * stride);
        }
      }
      case F16, BF16 -> {
        ShortBuffer shorts = (ShortBuffer) from;
        if (stride == 1) {
          shorts.get(index, halves, 0, n);
        } else {
          for (int i = 0; i < n; i++) {
            halves[i] = shorts.get(index + i * stride);
          }
        }
        Halves.toFloats(type, halves, to, n);
      }
      case I64, I32, I16, I8, U8, BOOL -> {
        for (int i = 0; i < n; i++) {
          to[i] = (float) loadLong(from, type, index + i * stride);
        }
      }
    }
  }

  /**
   * Stores floats as a run, each rounded once.
   *
   * @param halves room for as many elements as {@code from} has
   */
  static void storeFloats(
      float[] from,
      short[] halves,
      HostMemory memory,
      ElementType type,
      long at,
      int stride,
      int n) {
    Buffer to = memory.segmentAt(at);
    int index = memory.indexAt(at);
    switch (type) {
      case F32 -> {
        FloatBuffer floats = (FloatBuffer) to;
        if (stride == 1) {
          floats.put(index, from, 0, n);
        } else {
          for (int i = 0; i < n; i++) {
            floats.put(index + i * stride, from[i]);
          }
        }
      }
      case F64 -> {
        DoubleBuffer doubles = (DoubleBuffer) to;
        for (int i = 0; i < n; i++) {
          doubles.put(index + i * stride, from[i]);
        }
      }
      case F16, BF16 -> {
        ShortBuffer shorts = (ShortBuffer) to;
        Halves.fromFloats(type, from, halves, n);
        if (stride == 1) {
          shorts.put(index, halves, 0, n);
        } else {
          for (int i = 0; i < n; i++) {
            shorts.put(index + i * stride, halves[i]);
          }
        }
      }
      case BOOL -> {
        ByteBuffer bytes = (ByteBuffer) to;
        for (int i = 0; i < n; i++) {
          bytes.put(index + i * stride, (byte) (from[i] != 0 ? 1 : 0));
        }
      }
      case I64, I32, I16, I8, U8 -> {
        for (int i = 0; i < n; i++) {
          storeLong((long) from[i], to, type, index + i * stride);
        }
      }
    }
  }

  static void loadDoubles(
      HostMemory memory, ElementType type, long at, int stride, double[] to, int n) {
    Buffer from = memory.segmentAt(at);
    int index = memory.indexAt(at);
    switch (type) {
      case F64 -> {
        DoubleBuffer doubles = (DoubleBuffer) from;
        if (stride == 1) {
          doubles.get(index, to, 0, n);
        } else {
          for (int i = 0; i < n; i++) {
            to[i] = doubles.get(index + i * stride);
          }
        }
      }
      case F32 -> {
        FloatBuffer floats = (FloatBuffer) from;
        for (int i = 0; i < n; i++) {
          to[i] = floats.get(index + i * stride);
        }
      }
      case F16, BF16 -> {
        ShortBuffer halves = (ShortBuffer) from;
        for (int i = 0; i < n; i++) {
          to[i] = Halves.toFloat(type, halves.get(index + i * stride));
        }
      }
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(type);
    }
  }

  static void storeDoubles(
      double[] from, HostMemory memory, ElementType type, long at, int stride, int n) {
    Buffer to = memory.segmentAt(at);
    int index = memory.indexAt(at);
    switch (type) {
      case F64 -> {
        DoubleBuffer doubles = (DoubleBuffer) to;
        if (stride == 1) {
          doubles.put(index, from, 0, n);
        } else {
          for (int i = 0; i < n; i++) {
            doubles.put(index + i * stride, from[i]);
          }
        }
      }
      case F32 -> {
        FloatBuffer floats = (FloatBuffer) to;
        for (int i = 0; i < n; i++) {
          floats.put(index + i * stride, (float) from[i]);
        }
      }
      case F16, BF16 -> {
        ShortBuffer halves = (ShortBuffer) to;
        for (int i = 0; i < n; i++) {
          halves.put(index + i * stride, Halves.fromDouble(type, from[i]));
        }
      }
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(type);
    }
  }

  /** Copies a run between memories of the same type, bit for bit. */
  static void copy(
      ElementType type,
      HostMemory right,
      long atRight,
      int fromStride,
      HostMemory left,
      long atLeft,
      int toStride,
      int n) {
    Buffer from = right.segmentAt(atRight);
    int fromIndex = right.indexAt(atRight);
    Buffer to = left.segmentAt(atLeft);
    int toIndex = left.indexAt(atLeft);
    boolean packed = fromStride == 1 && toStride == 1;
    switch (type) {
      case F64 -> {
        DoubleBuffer source = (DoubleBuffer) from;
        DoubleBuffer target = (DoubleBuffer) to;
        if (packed) {
          target.put(toIndex, source, fromIndex, n);
        } else {
          for (int i = 0; i < n; i++) {
            target.put(toIndex + i * toStride, source.get(fromIndex + i * fromStride));
          }
        }
      }
      case F32 -> {
        FloatBuffer source = (FloatBuffer) from;
        FloatBuffer target = (FloatBuffer) to;
        if (packed) {
          target.put(toIndex, source, fromIndex, n);
        } else {
          for (int i = 0; i < n; i++) {
            target.put(toIndex + i * toStride, source.get(fromIndex + i * fromStride));
          }
        }
      }
      case I64 -> {
        LongBuffer source = (LongBuffer) from;
        LongBuffer target = (LongBuffer) to;
        if (packed) {
          target.put(toIndex, source, fromIndex, n);
        } else {
          for (int i = 0; i < n; i++) {
            target.put(toIndex + i * toStride, source.get(fromIndex + i * fromStride));
          }
        }
      }
      case I32 -> {
        IntBuffer source = (IntBuffer) from;
        IntBuffer target = (IntBuffer) to;
        if (packed) {
          target.put(toIndex, source, fromIndex, n);
        } else {
          for (int i = 0; i < n; i++) {
            target.put(toIndex + i * toStride, source.get(fromIndex + i * fromStride));
          }
        }
      }
      case F16, BF16, I16 -> {
        ShortBuffer source = (ShortBuffer) from;
        ShortBuffer target = (ShortBuffer) to;
        if (packed) {
          target.put(toIndex, source, fromIndex, n);
        } else {
          for (int i = 0; i < n; i++) {
            target.put(toIndex + i * toStride, source.get(fromIndex + i * fromStride));
          }
        }
      }
      case I8, U8, BOOL -> {
        ByteBuffer source = (ByteBuffer) from;
        ByteBuffer target = (ByteBuffer) to;
        if (packed) {
          target.put(toIndex, source, fromIndex, n);
        } else {
          for (int i = 0; i < n; i++) {
            target.put(toIndex + i * toStride, source.get(fromIndex + i * fromStride));
          }
        }
      }
    }
  }

  /** Returns an element's bits. */
  static long bits(HostMemory memory, ElementType type, long at) {
    Buffer from = memory.segmentAt(at);
    int index = memory.indexAt(at);
    return switch (type) {
      case F64 -> Double.doubleToRawLongBits(((DoubleBuffer) from).get(index));
      case F32 -> Float.floatToRawIntBits(((FloatBuffer) from).get(index));
      case F16, BF16 -> ((ShortBuffer) from).get(index);
      case I64, I32, I16, I8, U8, BOOL -> loadLong(from, type, index);
    };
  }

  private static long loadLong(Buffer from, ElementType type, int index) {
    return switch (type) {
      case I64 -> ((LongBuffer) from).get(index);
      case I32 -> ((IntBuffer) from).get(index);
      case I16 -> ((ShortBuffer) from).get(index);
      case I8 -> ((ByteBuffer) from).get(index);
      case U8 -> ((ByteBuffer) from).get(index) & 0xff;
      case BOOL -> ((ByteBuffer) from).get(index) != 0 ? 1 : 0;
      case F64, F32, F16, BF16 -> throw new AssertionError(type);
    };
  }

  private static void storeLong(long value, Buffer to, ElementType type, int index) {
    switch (type) {
      case I64 -> ((LongBuffer) to).put(index, value);
      case I32 -> ((IntBuffer) to).put(index, (int) value);
      case I16 -> ((ShortBuffer) to).put(index, (short) value);
      case I8, U8 -> ((ByteBuffer) to).put(index, (byte) value);
      case F64, F32, F16, BF16, BOOL -> throw new AssertionError(type);
    }
  }
}
