package io.github.ema4j.internal;

import io.github.ema4j.ElementType;
import java.math.BigInteger;

/**
 * Binary floating-point arithmetic over unbounded integers, with a single rounding to nearest even:
 * what the kernel is held against. Values travel as doubles, which hold those of every format.
 */
enum Format {
  F64(53, -1074, 1024),
  F32(24, -149, 128),
  F16(11, -24, 16),
  BF16(8, -133, 128);

  private final int precision;
  private final int leastUnit;
  private final int overflow;

  Format(int precision, int leastUnit, int overflow) {
    this.precision = precision;
    this.leastUnit = leastUnit;
    this.overflow = overflow;
  }

  static Format of(ElementType type) {
    return valueOf(type.name());
  }

  /** Returns the value of the format that is nearest to a double. */
  double round(double value) {
    return sum(value, -0.0);
  }

  double sum(double a, double b) {
    return fma(1, a, b);
  }

  double difference(double a, double b) {
    return fma(1, a, -b);
  }

  double product(double a, double b) {
    double signedZero = isNegative(a) == isNegative(b) ? 0.0 : -0.0;
    return fma(a, b, signedZero);
  }

  /** Returns {@code a * b + c}, rounded once. */
  double fma(double a, double b, double c) {
    if (Double.isNaN(a) || Double.isNaN(b) || Double.isNaN(c)) {
      return Double.NaN;
    }
    boolean negativeProduct = isNegative(a) != isNegative(b);
    if (Double.isInfinite(a) || Double.isInfinite(b)) {
      double product = negativeProduct ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
      return a == 0 || b == 0 || c == -product ? Double.NaN : product;
    }
    if (Double.isInfinite(c)) {
      return c;
    }
    int productUnit = unit(a) + unit(b);
    int common = Math.min(productUnit, unit(c));
    BigInteger exact =
        integer(a)
            .multiply(integer(b))
            .shiftLeft(productUnit - common)
            .add(integer(c).shiftLeft(unit(c) - common));
    if (exact.signum() == 0) {
      boolean negative = negativeProduct && isNegative(c) && (a == 0 || b == 0);
      return negative ? -0.0 : 0.0;
    }
    double magnitude = nearest(exact.abs(), common);
    return exact.signum() < 0 ? -magnitude : magnitude;
  }

  private double nearest(BigInteger integer, int unit) {
    int resultUnit = Math.max(integer.bitLength() + unit - precision, leastUnit);
    int dropped = resultUnit - unit;
    BigInteger rounded = integer.shiftLeft(-dropped);
    if (dropped > 0) {
      BigInteger rest = integer.subtract(rounded.shiftLeft(dropped));
      int overHalf = rest.compareTo(BigInteger.ONE.shiftLeft(dropped - 1));
      if (overHalf > 0 || (overHalf == 0 && rounded.testBit(0))) {
        rounded = rounded.add(BigInteger.ONE);
      }
    }
    return rounded.bitLength() + resultUnit > overflow
        ? Double.POSITIVE_INFINITY
        : Math.scalb(rounded.doubleValue(), resultUnit);
  }

  private static boolean isNegative(double value) {
    return Double.doubleToRawLongBits(value) < 0;
  }

  private static BigInteger integer(double value) {
    long bits = Double.doubleToRawLongBits(value);
    long fraction = bits & 0xf_ffff_ffff_ffffL;
    boolean subnormal = Math.abs(value) < Double.MIN_NORMAL;
    long magnitude = subnormal ? fraction : fraction | 1L << 52;
    return BigInteger.valueOf(bits < 0 ? -magnitude : magnitude);
  }

  private static int unit(double value) {
    return Math.max(Math.getExponent(value), Double.MIN_EXPONENT) - 52;
  }
}
