package io.github.ema4j.series;

/**
 * Exponentially weighted mean and variance, with the start's weight undone: {@code v = (1 - a) (v +
 * a (x - m)^2)} (Finch, "Incremental calculation of weighted mean and variance", 2009).
 */
final class Moments {
  private final Debias debias;
  private final Compensated mean = new Compensated();
  private double variance;

  Moments(double alpha) {
    debias = new Debias(alpha);
  }

  void add(double x) {
    double a = debias.next();
    double above = mean.below(x);
    mean.add(a * above);
    variance = (1 - a) * (variance + a * above * above);
  }

  double mean() {
    return mean.value();
  }

  double variance() {
    return variance;
  }

  void write(String name, SeriesState to) {
    debias.write(name + "Covered", to);
    mean.write(name + "Mean", to);
    to.put(name + "Variance", variance);
  }

  void read(String name, SeriesState from) {
    debias.read(name + "Covered", from);
    mean.read(name + "Mean", from);
    variance = from.number(name + "Variance");
  }
}
