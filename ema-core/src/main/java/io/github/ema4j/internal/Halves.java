package io.github.ema4j.internal;

import io.github.ema4j.ElementType;

/** Conversions between float32 and the 16-bit floating-point types, rounding to nearest even. */
final class Halves {

  private Halves() {}

  static float toFloat(ElementType type, short bits) {
    return type == ElementType.BF16 ? Float.intBitsToFloat(bits << 16) : halfToFloat(bits);
  }

  static short fromFloat(ElementType type, float value) {
    return type == ElementType.BF16 ? floatToBfloat(value) : floatToHalf(value);
  }

  /** Converts the first elements of an array. */
  static void toFloats(ElementType type, short[] from, float[] to, int n) {
    if (type == ElementType.BF16) {
      for (int i = 0; i < n; i++) {
        to[i] = Float.intBitsToFloat(from[i] << 16);
      }
    } else {
      for (int i = 0; i < n; i++) {
        to[i] = halfToFloat(from[i]);
      }
    }
  }

  /** Converts the first elements of an array. */
  static void fromFloats(ElementType type, float[] from, short[] to, int n) {
    if (type == ElementType.BF16) {
      for (int i = 0; i < n; i++) {
        to[i] = floatToBfloat(from[i]);
      }
    } else {
      for (int i = 0; i < n; i++) {
        to[i] = floatToHalf(from[i]);
      }
    }
  }

  /** Rounds once from double, by way of the float that is rounded to odd. */
  static short fromDouble(ElementType type, double value) {
    float near = (float) value;
    boolean exact = near == value || Double.isNaN(value) || Float.isInfinite(near);
    boolean odd = (Float.floatToRawIntBits(near) & 1) == 1;
    if (exact || odd) {
      return fromFloat(type, near);
    }
    return fromFloat(type, near < value ? Math.nextUp(near) : Math.nextDown(near));
  }

  /** Rounds a float to the nearest value of a type, as a float. */
  static float round(ElementType type, float value) {
    return toFloat(type, fromFloat(type, value));
  }

  private static float halfToFloat(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = (bits >>> 10) & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) {
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int wideExponent = exponent == 0x1f ? 0xff : exponent + 112;
    return Float.intBitsToFloat(sign | wideExponent << 23 | fraction << 13);
  }

  private static short floatToHalf(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fff_ffff;
    if (magnitude > 0x7f80_0000) {
      return (short) (sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff));
    }
    if (magnitude >= 0x4780_0000) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < 0x3880_0000) {
      return (short) (sign | (int) Math.rint(Float.intBitsToFloat(magnitude) * 0x1p24f));
    }
    int rebased = magnitude - 0x3800_0000;
    return (short) (sign | (rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }

  private static short floatToBfloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }
}
