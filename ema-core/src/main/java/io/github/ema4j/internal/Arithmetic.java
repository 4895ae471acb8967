package io.github.ema4j.internal;

import io.github.ema4j.ElementType;

/**
 * The formulas of {@link io.github.ema4j.AveragingRule} on the first elements of arrays, in loops
 * that the compiler turns into vector instructions.
 */
final class Arithmetic {

  private Arithmetic() {}

  static void lerp(float[] e, float[] m, int n, float weight) {
    if (weight < 0.5f) {
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(weight, m[i] - e[i], e[i]);
      }
    } else {
      float rest = 1 - weight;
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(-(m[i] - e[i]), rest, m[i]);
      }
    }
  }

  static void lerp(double[] e, double[] m, int n, double weight) {
    if (weight < 0.5) {
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(weight, m[i] - e[i], e[i]);
      }
    } else {
      double rest = 1 - weight;
      for (int i = 0; i < n; i++) {
        e[i] = Math.fma(-(m[i] - e[i]), rest, m[i]);
      }
    }
  }

  static void weightedSum(float[] e, float[] m, int n, float decay, float weight) {
    for (int i = 0; i < n; i++) {
      e[i] = e[i] * decay + m[i] * weight;
    }
  }

  static void weightedSum(double[] e, double[] m, int n, double decay, double weight) {
    for (int i = 0; i < n; i++) {
      e[i] = e[i] * decay + m[i] * weight;
    }
  }

  /**
   * The weighted sum with scalars and products rounded to the half type; the store rounds the sum.
   */
  static void roundedWeightedSum(
      float[] e, float[] m, int n, float decay, float weight, ElementType type) {
    float d = Halves.round(type, decay);
    float w = Halves.round(type, weight);
    for (int i = 0; i < n; i++) {
      e[i] = Halves.round(type, e[i] * d) + Halves.round(type, m[i] * w);
    }
  }

  /**
   * Makes zeros of subnormal numbers, keeping their sign. Without a branch, which the compiler
   * would not turn into vector instructions: a number is multiplied by 0 where it is subnormal and
   * by 1 elsewhere, which is found from how far it is below the least normal number.
   */
  static void flush(float[] values, int n) {
    for (int i = 0; i < n; i++) {
      float below = Math.min(Math.abs(values[i]), Float.MIN_NORMAL) - Float.MIN_NORMAL;
      values[i] *= Math.max(0f, 1f + below * 0x1p127f * 0x1p24f);
    }
  }

  static void flush(double[] values, int n) {
    for (int i = 0; i < n; i++) {
      double below = Math.min(Math.abs(values[i]), Double.MIN_NORMAL) - Double.MIN_NORMAL;
      values[i] *= Math.max(0, 1 + below * 0x1p1023 * 0x1p60);
    }
  }

  /** Adds to each sum what is NaN just where the value is not finite, and zero elsewhere. */
  static void addNonFinite(float[] sums, float[] values, int n) {
    for (int i = 0; i < n; i++) {
      sums[i] += values[i] * 0;
    }
  }

  static void addNonFinite(double[] sums, double[] values, int n) {
    for (int i = 0; i < n; i++) {
      sums[i] += values[i] * 0;
    }
  }

  static boolean hasNaN(float[] values) {
    for (float value : values) {
      if (Float.isNaN(value)) {
        return true;
      }
    }
    return false;
  }

  static boolean hasNaN(double[] values) {
    for (double value : values) {
      if (Double.isNaN(value)) {
        return true;
      }
    }
    return false;
  }
}
