package io.github.ema4j.series;

/** A sum that keeps what each addition rounds off: about twice the digits of a double. */
final class Compensated {
  private double high;
  private double low;

  /** Adds a number, by Knuth's two-sum. */
  void add(double x) {
    double sum = high + x;
    double added = sum - high;
    low += (high - (sum - added)) + (x - added);
    high = sum + low;
    low += sum - high;
  }

  /** Returns how far a number is above the sum. */
  double below(double x) {
    return (x - high) - low;
  }

  double value() {
    return high;
  }

  void clear() {
    high = 0;
    low = 0;
  }

  void write(String name, SeriesState to) {
    to.put(name, new double[] {high, low});
  }

  void read(String name, SeriesState from) {
    double[] parts = from.numbers(name, 2);
    high = parts[0];
    low = parts[1];
  }
}
