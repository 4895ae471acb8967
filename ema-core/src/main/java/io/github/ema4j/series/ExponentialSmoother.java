package io.github.ema4j.series;

/** {@code m = m + gain (x - m)}, from the first value on. */
final class ExponentialSmoother implements Smoother {
  private final Gain gain;
  private final Compensated mean = new Compensated();

  /** The last gain; 0 before the first value. */
  private double weight;

  ExponentialSmoother(Gain gain) {
    this.gain = gain;
  }

  @Override
  public void add(double x) {
    boolean first = weight == 0;
    double next = gain.next(x, first);
    weight = first ? 1 : next;
    mean.add(weight * mean.below(x));
  }

  @Override
  public double value() {
    return mean.value();
  }

  @Override
  public double weight() {
    return weight;
  }

  @Override
  public long window() {
    return gain.window();
  }

  @Override
  public void write(SeriesState to) {
    gain.write(to);
    mean.write("mean", to);
    to.put("weight", weight);
  }

  @Override
  public void read(SeriesState from) {
    gain.read(from);
    mean.read("mean", from);
    weight = from.number("weight");
  }
}
