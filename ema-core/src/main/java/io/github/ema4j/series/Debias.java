package io.github.ema4j.series;

/**
 * The weight of each new value in an exponential average that forgets its starting point: {@code
 * alpha / (1 - (1 - alpha)^n)} for the n-th.
 */
final class Debias {
  private final double alpha;

  /** What the values so far weigh beside the starting point: {@code 1 - (1 - alpha)^n}. */
  private final Compensated covered = new Compensated();

  Debias(double alpha) {
    this.alpha = alpha;
  }

  double next() {
    covered.add(alpha * covered.below(1));
    return Math.min(1, alpha / covered.value());
  }

  void write(String name, SeriesState to) {
    covered.write(name, to);
  }

  void read(String name, SeriesState from) {
    covered.read(name, from);
  }
}
