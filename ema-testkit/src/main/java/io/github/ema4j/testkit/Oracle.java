package io.github.ema4j.testkit;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import java.math.BigDecimal;

/**
 * The exact result of one update of one element, computed by other means than core's: an oracle.
 *
 * <p>Float32 is computed in double, where products of floats are exact. A sum of two floats that is
 * rounded to double and then to float is rounded as if once (double has more than twice float's
 * digits and two: S. Figueroa, 1995). A product plus a float is rounded to double towards odd, then
 * to float, which is as if once too (S. Boldo, G. Melquiond, 2008). Float64 is computed in {@link
 * BigDecimal}. Halves are rounded from double by multiples of their unit in the last place.
 */
final class Oracle {
  private final AveragingRule rule;
  private final double decay;
  private final double weight;

  /** Predicts updates with one decay. */
  Oracle(AveragingRule rule, double decay) {
    this.rule = rule;
    this.decay = decay;
    weight = 1.0 - decay;
  }

  /**
   * Returns the bits of an element's average after an update.
   *
   * @param averageType the type of the average
   * @param average its bits before
   * @param modelType the type of the model; as floating as the average's
   * @param model its bits
   */
  long update(ElementType averageType, long average, ElementType modelType, long model) {
    if (!averageType.isFloating()) {
      return truncated(averageType, average, model);
    }
    double e = value(averageType, average);
    double m = value(modelType, model);
    if (averageType == ElementType.F64) {
      return bits(averageType, rule == AveragingRule.LERP ? lerp(e, m) : weightedSum(e, m));
    }
    float e32 = (float) e;
    float m32 = (float) m;
    if (rule == AveragingRule.LERP) {
      return bits(averageType, lerp(e32, m32));
    }
    return bits(
        averageType, averageType.isHalf() ? halfSum(averageType, e32, m32) : weightedSum(e32, m32));
  }

  /** Returns the bits of a floating-point element in another floating-point type. */
  static long converted(ElementType from, long bits, ElementType to) {
    return from == to ? bits : bits(to, value(from, bits));
  }

  private float lerp(float e, float m) {
    float w = (float) weight;
    float difference = (float) ((double) m - (double) e);
    return w < 0.5f
        ? productPlus(w, difference, e)
        : productPlus(-difference, (float) (1.0 - w), m);
  }

  private float weightedSum(float e, float m) {
    float left = (float) ((double) e * (double) (float) decay);
    float right = (float) ((double) m * (double) (float) weight);
    return (float) ((double) left + (double) right);
  }

  private double halfSum(ElementType type, float e, float m) {
    double left = round(type, e * round(type, (float) decay));
    double right = round(type, m * round(type, (float) weight));
    return left + right;
  }

  private double lerp(double e, double m) {
    double difference = sum(m, -e);
    return weight < 0.5
        ? productPlus(weight, difference, e)
        : productPlus(-difference, sum(1, -weight), m);
  }

  private double weightedSum(double e, double m) {
    return sum(product(e, decay), product(m, weight));
  }

  private long truncated(ElementType type, long average, long model) {
    float sum = weightedSum((float) integer(type, average), (float) integer(type, model));
    return switch (type) {
      case BOOL -> sum != 0 ? 1 : 0;
      case I64 -> (long) sum;
      case I32 -> (int) (long) sum;
      case I16 -> (short) (long) sum;
      default -> (byte) (long) sum;
    };
  }

  private static long integer(ElementType type, long bits) {
    return type == ElementType.U8 ? bits & 0xff : bits;
  }

  /** Returns {@code a * b + c}, rounded once. */
  static float productPlus(float a, float b, float c) {
    double product = (double) a * (double) b;
    double sum = product + c;
    if (Double.isNaN(sum) || Double.isInfinite(sum)) {
      return (float) sum;
    }
    // Knuth's two-sum: what the sum lost.
    double back = sum - product;
    double lost = (product - (sum - back)) + (c - back);
    if (lost != 0 && (Double.doubleToRawLongBits(sum) & 1) == 0) {
      boolean away = lost > 0 == sum > 0;
      sum = Double.longBitsToDouble(Double.doubleToRawLongBits(sum) + (away ? 1 : -1));
    }
    return (float) sum;
  }

  /** Returns {@code a * b + c}, rounded once. */
  static double productPlus(double a, double b, double c) {
    if (!Double.isFinite(a) || !Double.isFinite(b) || !Double.isFinite(c)) {
      return a * b + c;
    }
    BigDecimal product = new BigDecimal(a).multiply(new BigDecimal(b));
    return product.signum() == 0 ? a * b + c : rounded(product.add(new BigDecimal(c)));
  }

  private static double product(double a, double b) {
    return Double.isFinite(a) && Double.isFinite(b) && a != 0 && b != 0
        ? rounded(new BigDecimal(a).multiply(new BigDecimal(b)))
        : a * b;
  }

  private static double sum(double a, double b) {
    return Double.isFinite(a) && Double.isFinite(b) && a != 0 && b != 0
        ? rounded(new BigDecimal(a).add(new BigDecimal(b)))
        : a + b;
  }

  /** Rounds to nearest; zero keeps the sign of what it was. */
  private static double rounded(BigDecimal exact) {
    return exact.signum() < 0 ? -exact.negate().doubleValue() : exact.doubleValue();
  }

  /** Returns the number that an element's bits stand for. */
  static double value(ElementType type, long bits) {
    return switch (type) {
      case F64 -> Double.longBitsToDouble(bits);
      case F32 -> Float.intBitsToFloat((int) bits);
      case F16 -> half(bits, 10, 15);
      case BF16 -> half(bits, 7, 127);
      default -> integer(type, bits);
    };
  }

  /** Returns the bits of the element next to a number; ties go to even. */
  static long bits(ElementType type, double value) {
    return switch (type) {
      case F64 -> Double.doubleToRawLongBits(value);
      case F32 -> Float.floatToRawIntBits((float) value);
      case F16 -> halfBits(value, 10, 15);
      case BF16 -> halfBits(value, 7, 127);
      default -> throw new IllegalArgumentException(type + " is not floating");
    };
  }

  private static double round(ElementType type, double value) {
    return value(type, bits(type, value));
  }

  private static double half(long bits, int fractionBits, int bias) {
    int exponent = (int) (bits >> fractionBits) & (2 * bias + 1);
    long fraction = bits & ((1L << fractionBits) - 1);
    double sign = (bits & 0x8000) == 0 ? 1 : -1;
    if (exponent == 2 * bias + 1) {
      return fraction == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
    }
    long digits = exponent == 0 ? fraction : fraction + (1L << fractionBits);
    return sign * Math.scalb((double) digits, Math.max(exponent, 1) - bias - fractionBits);
  }

  private static long halfBits(double value, int fractionBits, int bias) {
    long sign = Double.doubleToRawLongBits(value) < 0 ? 0xffff_8000 : 0;
    long infinity = (2L * bias + 1) << fractionBits;
    if (Double.isNaN(value)) {
      return infinity + (1L << (fractionBits - 1));
    }
    int exponent = Math.max(Math.getExponent(value), 1 - bias);
    if (exponent > bias) {
      return sign | infinity;
    }
    // A carry out of the fraction lands in the exponent, as it should.
    long digits = (long) Math.rint(Math.scalb(Math.abs(value), fractionBits - exponent));
    return sign | (((exponent + bias - 1L) << fractionBits) + digits);
  }
}
