package io.github.ema4j.testkit;

import io.github.ema4j.ElementType;

/**
 * How far an average may be off whose operation is not exact. Either formula rounds at most four
 * times (scalar, two products or difference and product, sum); each rounding is off by at most half
 * a unit in the last place of a number no larger than {@code |e| + |m|}. That makes {@code 4 u (|e|
 * + |m|)}, with {@code u} half a unit in the last place of 1, and one subnormal unit for each
 * rounding where results are that small.
 */
final class Bound {

  private Bound() {}

  /** Returns how far an average of two numbers may be off. */
  static double of(ElementType type, double average, double model) {
    double smallest = Oracle.value(type, 1);
    return 4 * (unitRoundoff(type) * (Math.abs(average) + Math.abs(model)) + smallest);
  }

  /** Returns how many representable numbers apart two finite elements are; infinite for others. */
  static double ulps(ElementType type, long bits, long other) {
    return type.isFloating()
            && Double.isFinite(Oracle.value(type, bits))
            && Double.isFinite(Oracle.value(type, other))
        ? Math.abs((double) ordinal(type, bits) - (double) ordinal(type, other))
        : Double.POSITIVE_INFINITY;
  }

  private static long ordinal(ElementType type, long bits) {
    long magnitude = bits & (-1L >>> (Long.SIZE + 1 - 8 * type.bytes()));
    return bits < 0 ? -magnitude : magnitude;
  }

  private static double unitRoundoff(ElementType type) {
    return switch (type) {
      case F64 -> 0x1p-53;
      case F32 -> 0x1p-24;
      case F16 -> 0x1p-11;
      case BF16 -> 0x1p-8;
      default -> 0;
    };
  }
}
