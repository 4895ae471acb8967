package io.github.ema4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One axis of a chart: what it spans, and where it has ticks.
 *
 * @param min where it begins
 * @param max where it ends; above {@code min}
 * @param logarithmic whether its ticks are powers of ten
 */
record Axis(double min, double max, boolean logarithmic) {
  private static final int TICKS = 6;

  /** A tick and what is written at it. */
  record Tick(double at, String label) {}

  /** Returns the axis of some numbers, with a little room; of [0, 1] if there are none. */
  static Axis of(double min, double max) {
    if (!(min <= max)) {
      return new Axis(0, 1, false);
    }
    if (min == max) {
      double room = min == 0 ? 1 : Math.abs(min) / 10;
      return new Axis(min - room, max + room, false);
    }
    double step = step(max - min);
    return new Axis(Math.floor(min / step) * step, Math.ceil(max / step) * step, false);
  }

  /** Returns the axis that begins and ends with some numbers. */
  static Axis exactly(double min, double max) {
    return min < max ? new Axis(min, max, false) : new Axis(min, min + 1, false);
  }

  /** Returns the logarithmic axis from 1 to a number. */
  static Axis logarithmicTo(double max) {
    return new Axis(1, Math.max(10, max), true);
  }

  /** Returns where a number is, in [0, 1]. */
  double place(double value) {
    return logarithmic
        ? StrictMath.log(value / min) / StrictMath.log(max / min)
        : (value - min) / (max - min);
  }

  List<Tick> ticks() {
    List<Tick> ticks = new ArrayList<>();
    if (logarithmic) {
      for (double at = min; at <= max; at *= 10) {
        ticks.add(new Tick(at, Numbers.text(at)));
      }
      return ticks;
    }
    double step = step(max - min);
    int digits = (int) Math.max(0, -Math.floor(StrictMath.log10(step) + 1e-9));
    for (long i = (long) Math.ceil(min / step - 1e-9); i * step <= max + 1e-9 * step; i++) {
      String format = Math.abs(i * step) < 1e9 && digits < 9 ? "%,." + digits + "f" : "%.2e";
      ticks.add(new Tick(i * step, String.format(Locale.ROOT, format, i * step)));
    }
    return ticks;
  }

  /** Returns 1, 2 or 5 times a power of ten, that goes into a span a few times. */
  private static double step(double span) {
    double rough = span / TICKS;
    double power = StrictMath.pow(10, Math.floor(StrictMath.log10(rough)));
    double digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  }
}
