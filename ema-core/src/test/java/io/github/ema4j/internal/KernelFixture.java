package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.fail;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.Random;

/** Memory of any type seen as doubles, values to fill it with, and the update they should get. */
final class KernelFixture {

  private static final double[] SPECIAL = {
    0.0,
    -0.0,
    Double.NaN,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Double.MIN_VALUE,
    -Double.MIN_NORMAL,
    Double.MAX_VALUE,
    -Double.MAX_VALUE,
    Float.MIN_VALUE,
    -Float.MIN_NORMAL,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    0x1p-24,
    0x1p-14,
    65_504,
    1,
    -1,
  };

  private KernelFixture() {}

  /** Returns ordinary values, any magnitudes and special values, all of them in the format. */
  static double[] values(ElementType type, int size, Random random) {
    Format format = Format.of(type);
    double[] values = new double[size];
    for (int i = 0; i < size; i++) {
      double value =
          switch (random.nextInt(8)) {
            case 0 -> SPECIAL[random.nextInt(SPECIAL.length)];
            case 1 -> Double.longBitsToDouble(random.nextLong());
            case 2 -> Float.intBitsToFloat(random.nextInt());
            case 3 -> i == 0 ? 1 : values[i - 1] * (1 + random.nextGaussian() * 1e-6);
            default -> random.nextGaussian();
          };
      values[i] = format.round(value);
    }
    return values;
  }

  static LoopNest flat(long size) {
    ImmutableLongArray shape = ImmutableLongArray.of(size);
    ImmutableLongArray stride = ImmutableLongArray.of(1);
    return LoopNest.over(shape, stride, stride);
  }

  static Buffer buffer(ElementType type, double... values) {
    int n = values.length;
    Buffer buffer =
        switch (type) {
          case F64 -> DoubleBuffer.allocate(n);
          case F32 -> FloatBuffer.allocate(n);
          case I64 -> LongBuffer.allocate(n);
          case I32 -> IntBuffer.allocate(n);
          case F16, BF16, I16 -> ShortBuffer.allocate(n);
          case I8, U8, BOOL -> ByteBuffer.allocate(n);
        };
    for (int i = 0; i < n; i++) {
      put(type, buffer, i, values[i]);
    }
    return buffer;
  }

  static void put(ElementType type, Buffer buffer, int index, double value) {
    switch (type) {
      case F64 -> ((DoubleBuffer) buffer).put(index, value);
      case F32 -> ((FloatBuffer) buffer).put(index, (float) value);
      case F16, BF16 -> ((ShortBuffer) buffer).put(index, Halves.fromFloat(type, (float) value));
      case I64 -> ((LongBuffer) buffer).put(index, (long) value);
      case I32 -> ((IntBuffer) buffer).put(index, (int) value);
      case I16 -> ((ShortBuffer) buffer).put(index, (short) value);
      case I8, U8, BOOL -> ((ByteBuffer) buffer).put(index, (byte) (int) value);
    }
  }

  static double[] read(ElementType type, Buffer buffer) {
    double[] values = new double[buffer.limit()];
    for (int i = 0; i < values.length; i++) {
      values[i] = get(type, buffer, i);
    }
    return values;
  }

  static double get(ElementType type, Buffer buffer, int index) {
    return switch (type) {
      case F64 -> ((DoubleBuffer) buffer).get(index);
      case F32 -> ((FloatBuffer) buffer).get(index);
      case F16, BF16 -> Halves.toFloat(type, ((ShortBuffer) buffer).get(index));
      case I64 -> ((LongBuffer) buffer).get(index);
      case I32 -> ((IntBuffer) buffer).get(index);
      case I16 -> ((ShortBuffer) buffer).get(index);
      case I8, BOOL -> ((ByteBuffer) buffer).get(index);
      case U8 -> ((ByteBuffer) buffer).get(index) & 0xff;
    };
  }

  /** Runs the kernel over flat memory and returns the average that it leaves. */
  static double[] averaged(
      ElementType averageType,
      double[] averages,
      ElementType modelType,
      double[] models,
      double decay,
      AveragingRule rule) {
    Buffer average = buffer(averageType, averages);
    new HostKernel()
        .average(
            new HostMemory[] {HostMemory.of(average)},
            averageType,
            HostMemory.of(buffer(modelType, models)),
            modelType,
            flat(averages.length),
            Blend.of(rule, decay));
    return read(averageType, average);
  }

  /** Returns the lerp of one element, in the arithmetic of a type. */
  static double lerp(Format format, double e, double m, double decay) {
    double w = format.round(1.0 - decay);
    double difference = format.difference(m, e);
    return w < 0.5
        ? format.fma(w, difference, e)
        : format.fma(-difference, format.difference(1, w), m);
  }

  /** Returns the weighted sum of one element, each step rounded to a type. */
  static double weightedSum(Format format, double e, double m, double decay) {
    return format.sum(
        format.product(e, format.round(decay)), format.product(format.round(1.0 - decay), m));
  }

  /** Checks every bit but those of NaNs: unlike {@code isEqualTo}, it tells zeros apart. */
  static void assertSame(double actual, double expected) {
    assertSame(actual, expected, "value");
  }

  static void assertSame(double actual, double expected, String context) {
    assertSame(new double[] {actual}, new double[] {expected}, context);
  }

  /** Checks every bit but those of NaNs. */
  static void assertSame(double[] actual, double[] expected, String context) {
    for (int i = 0; i < expected.length; i++) {
      if (Double.doubleToLongBits(actual[i]) != Double.doubleToLongBits(expected[i])) {
        fail(
            "%s: element %d of %d is %s, but should be %s",
            context, i, expected.length, actual[i], expected[i]);
      }
    }
  }
}
