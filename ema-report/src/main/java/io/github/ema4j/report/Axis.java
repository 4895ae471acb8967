package io.github.ema4j.report;

import com.google.common.collect.ImmutableList;
import java.util.Locale;

/**
 * One axis of a chart.
 *
 * @param min where it begins
 * @param max where it ends; above {@code min}
 * @param logarithmic whether equal ratios are equally far apart
 * @param ticks in rising order
 */
record Axis(double min, double max, boolean logarithmic, ImmutableList<Tick> ticks) {
  private static final int TICKS = 6;

  /** A tick and what is written at it. */
  record Tick(double at, String label) {}

  /** Returns the axis of some numbers, with a little room; of [0, 1] if there are none. */
  static Axis of(double min, double max) {
    if (!(min <= max)) {
      return exactly(0, 1);
    }
    if (min == max) {
      double room = min == 0 ? 1 : Math.abs(min) / 10;
      return exactly(min - room, max + room);
    }
    double step = step(max - min);
    return exactly(Math.floor(min / step) * step, Math.ceil(max / step) * step);
  }

  /** Returns the axis that begins and ends with some numbers. */
  static Axis exactly(double min, double max) {
    double end = min < max ? max : min + 1;
    double step = step(end - min);
    int digits = (int) Math.max(0, -Math.floor(StrictMath.log10(step) + 1e-9));
    ImmutableList.Builder<Tick> ticks = ImmutableList.builder();
    for (long i = (long) Math.ceil(min / step - 1e-9); i * step <= end + 1e-9 * step; i++) {
      String format = Math.abs(i * step) < 1e9 && digits < 9 ? "%,." + digits + "f" : "%.2e";
      ticks.add(new Tick(i * step, String.format(Locale.ROOT, format, i * step)));
    }
    return new Axis(min, end, false, ticks.build());
  }

  /** Returns 1, 2 or 5 times a power of ten, that goes into a span a few times. */
  private static double step(double span) {
    double rough = span / TICKS;
    double power = StrictMath.pow(10, Math.floor(StrictMath.log10(rough)));
    double digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  }

  /** Returns the logarithmic axis from 1 to a number. */
  static Axis logarithmicTo(double max) {
    double end = max > 1 ? max : 10;
    ImmutableList.Builder<Tick> ticks = ImmutableList.builder();
    for (double power = 1; power <= end; power *= 10) {
      ticks.add(new Tick(power, Numbers.text(power)));
      for (double between : new double[] {2 * power, 5 * power}) {
        if (end < 100 && between <= end) {
          ticks.add(new Tick(between, Numbers.text(between)));
        }
      }
    }
    return new Axis(1, end, true, ticks.build());
  }

  /**
   * Returns the axis of decays, which are told by their distance from 1 in powers of ten.
   *
   * @param most up to what distance
   */
  static Axis ofDecays(double most) {
    double end = Math.max(1, Math.ceil(most));
    ImmutableList.Builder<Tick> ticks = ImmutableList.builder();
    for (int nines = 0; nines <= end; nines++) {
      ticks.add(new Tick(nines, Numbers.decay(nines, nines == 0 ? 1 : 0)));
      double half = nines - StrictMath.log10(0.5);
      if (end <= 3 && half < end) {
        ticks.add(new Tick(half, Numbers.decay(half, 1)));
      }
    }
    return new Axis(0, end, false, ticks.build());
  }

  /** Returns where a number is, in [0, 1]. */
  double place(double value) {
    return logarithmic
        ? StrictMath.log(value / min) / StrictMath.log(max / min)
        : (value - min) / (max - min);
  }
}
