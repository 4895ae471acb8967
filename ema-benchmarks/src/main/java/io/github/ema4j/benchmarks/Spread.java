package io.github.ema4j.benchmarks;

import com.google.common.math.Quantiles;
import com.google.common.primitives.ImmutableDoubleArray;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;

/**
 * What the middle half of some samples says.
 *
 * @param lower the first quartile
 * @param median the second
 * @param upper the third
 */
record Spread(double lower, double median, double upper) {

  static Spread of(ImmutableDoubleArray samples) {
    Map<Integer, Double> quartiles =
        Quantiles.quartiles().indexes(1, 2, 3).compute(samples.toArray());
    return new Spread(
        quartiles.getOrDefault(1, Double.NaN),
        quartiles.getOrDefault(2, Double.NaN),
        quartiles.getOrDefault(3, Double.NaN));
  }

  static Spread of(DoubleStream samples) {
    return of(ImmutableDoubleArray.copyOf(samples));
  }

  /** Returns the spread of a multiple of the samples, by a factor above 0. */
  Spread scaled(double factor) {
    return new Spread(lower * factor, median * factor, upper * factor);
  }

  /** Returns median and quartiles as a table shows them, with three digits that say something. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%s (%s–%s)", threeDigits(median), threeDigits(lower), threeDigits(upper));
  }

  private static String threeDigits(double value) {
    int decimals = (int) Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
    return String.format(Locale.ROOT, "%." + Math.min(decimals, 5) + "f", value);
  }
}
