package io.github.ema4j.report;

import java.util.Locale;

/** Numbers in words, the same everywhere. */
final class Numbers {

  private Numbers() {}

  /** Returns a number with four digits that count. */
  static String text(double value) {
    if (Double.isNaN(value)) {
      return "–";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "∞" : "-∞";
    }
    if (value == Math.rint(value) && Math.abs(value) < 1e15) {
      return count((long) value);
    }
    return Math.abs(value) < 1e5 && Math.abs(value) >= 1e-3
        ? String.format(Locale.ROOT, "%.4f", value)
        : String.format(Locale.ROOT, "%.3e", value);
  }

  /** Returns a whole number. */
  static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  /** Returns a share as a percentage. */
  static String percent(double share) {
    return Double.isNaN(share) ? "–" : String.format(Locale.ROOT, "%.2f %%", 100 * share);
  }

  /** Returns a time in a unit that suits it. */
  static String time(double nanos) {
    if (Double.isNaN(nanos)) {
      return "–";
    }
    if (nanos < 1e3) {
      return String.format(Locale.ROOT, "%.0f ns", nanos);
    }
    if (nanos < 1e6) {
      return String.format(Locale.ROOT, "%.1f µs", nanos / 1e3);
    }
    if (nanos < 1e9) {
      return String.format(Locale.ROOT, "%.1f ms", nanos / 1e6);
    }
    return nanos < 120e9
        ? String.format(Locale.ROOT, "%.1f s", nanos / 1e9)
        : String.format(Locale.ROOT, "%,.1f min", nanos / 60e9);
  }

  /** Returns a decay, from its distance to 1 in powers of ten, to three digits behind its nines. */
  static String decay(double nines) {
    return decay(nines, 3);
  }

  /** Returns a decay to so many digits behind its nines. */
  static String decay(double nines, int digits) {
    String format = "%." + ((int) Math.floor(nines) + digits) + "f";
    return String.format(Locale.ROOT, format, 1 - StrictMath.pow(10, -nines));
  }
}
