package io.github.ema4j.cli;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.merge.BlockMerger;
import io.github.ema4j.merge.MergePlan;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * How far two tensors are from each other.
 *
 * @param differing how many elements have other bits; of two types, other values
 * @param absolute the largest {@code |a - b|}; NaN if one side alone is NaN somewhere
 * @param relative the largest {@code |a - b| / |b|}, likewise
 * @param ulps the largest number of values of the type from one to the other; -1 for two types, and
 *     for integers
 * @param squared the sum of {@code (a - b)^2}
 * @param norm the sum of {@code b^2}
 */
record TensorDifference(
    String name,
    long elements,
    long differing,
    double absolute,
    double relative,
    long ulps,
    double squared,
    double norm) {

  /** Returns {@code |a - b| / |b|} of the tensors as vectors; 0 for equal ones. */
  double drift() {
    return drift(squared, norm);
  }

  static double drift(double squared, double norm) {
    return squared == 0 ? 0 : Math.sqrt(squared / norm);
  }

  /** Tells whether two are one value, NaN and the two zeros included. */
  private static boolean isSame(double left, double right) {
    return left == right || (Double.isNaN(left) && Double.isNaN(right));
  }

  /** Compares tensors by blocks. Not thread-safe. */
  static final class Meter {
    private static final int BLOCK = 16 << 10;

    private final BlockMerger merger = new BlockMerger();
    private final ByteBuffer[] bits = {room(), room()};
    private final ByteBuffer[] values = {room(), room()};

    private static ByteBuffer room() {
      return ByteBuffer.allocateDirect(BLOCK * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Compares two tensors of one shape, both floating-point or of one type.
     *
     * @param progress told of the bytes of a
     */
    TensorDifference measure(Entry<FileTensor> a, Entry<FileTensor> b, LongConsumer progress)
        throws IOException {
      ElementType type = a.spec().type();
      boolean oneType = type == b.spec().type();
      Sums sums = new Sums(oneType && type.isFloating());
      long elements = a.spec().elements();
      for (long at = 0; at < elements; at += BLOCK) {
        int n = (int) Math.min(BLOCK, elements - at);
        read(0, a, at, n);
        read(1, b, at, n);
        for (int i = 0; i < n; i++) {
          double left = values[0].getDouble(i * Double.BYTES);
          double right = values[1].getDouble(i * Double.BYTES);
          if (oneType) {
            sums.add(type, bits(0, type, i), bits(1, type, i), left, right);
          } else {
            sums.add(left, right, !isSame(left, right));
          }
        }
        progress.accept((long) n * type.bytes());
      }
      return sums.of(a.name(), elements);
    }

    /** Reads a block as bits and as doubles. */
    private void read(int side, Entry<FileTensor> entry, long at, int n) throws IOException {
      ElementType type = entry.spec().type();
      entry.tensor().read(at, bits[side].clear().limit(n * type.bytes()));
      values[side].clear().limit(n * Double.BYTES);
      if (type.isFloating()) {
        MergePlan.Term all = new MergePlan.Term(0, entry.name(), type, 1);
        MergePlan.Entry inDouble =
            new MergePlan.Entry(
                entry.name(),
                entry.role(),
                entry.spec().withType(ElementType.F64),
                true,
                ImmutableList.of(all));
        merger.merge(inDouble, List.of(entry.tensor()::read), at, values[side]);
      } else {
        for (int i = 0; i < n; i++) {
          values[side].putDouble(i * Double.BYTES, (double) bits(side, type, i));
        }
      }
    }

    /** Returns an element's bits, with its sign. */
    private long bits(int side, ElementType type, int index) {
      int at = index * type.bytes();
      return switch (type) {
        case F64, I64 -> bits[side].getLong(at);
        case F32, I32 -> bits[side].getInt(at);
        case F16, BF16, I16 -> bits[side].getShort(at);
        case I8 -> bits[side].get(at);
        case U8, BOOL -> bits[side].get(at) & 0xff;
      };
    }
  }

  /** What is summed up over a tensor. */
  private static final class Sums {
    private long differing;
    private double absolute;
    private double relative;
    private long ulps;
    private double squared;
    private double norm;

    Sums(boolean hasUlps) {
      ulps = hasUlps ? 0 : -1;
    }

    /** Adds elements of one type. */
    void add(ElementType type, long leftBits, long rightBits, double left, double right) {
      add(left, right, leftBits != rightBits);
      if (ulps >= 0 && leftBits != rightBits && !Double.isNaN(left) && !Double.isNaN(right)) {
        long distance = Math.abs(ordinal(type, leftBits) - ordinal(type, rightBits));
        ulps = Math.max(ulps, distance < 0 ? Long.MAX_VALUE : distance); // float64 of two signs
      }
    }

    /** Returns the place of a floating-point value among all of its type; 0 for both zeros. */
    private static long ordinal(ElementType type, long bits) {
      return bits >= 0 ? bits : (-1L << (8 * type.bytes() - 1)) - bits;
    }

    void add(double left, double right, boolean different) {
      norm += right * right;
      if (different) {
        differing++;
        boolean same = isSame(left, right);
        double difference = same ? 0 : Math.abs(left - right);
        absolute = Math.max(absolute, difference);
        relative = Math.max(relative, same ? 0 : difference / Math.abs(right));
        squared += difference * difference;
      }
    }

    TensorDifference of(String name, long elements) {
      return new TensorDifference(
          name, elements, differing, absolute, relative, ulps, squared, norm);
    }
  }
}
