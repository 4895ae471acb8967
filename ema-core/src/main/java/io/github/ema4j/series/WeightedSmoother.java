package io.github.ema4j.series;

/** The mean of the last values with weights of the user's, in time that grows with their number. */
final class WeightedSmoother implements Smoother {
  static final String TYPE = "weighted";

  private final double[] weights;

  /** The last values in the order of their coming, beginning somewhere. */
  private final double[] ring;

  private int filled;
  private int next;
  private double value;
  private double weight;

  /**
   * Makes one.
   *
   * @param weights oldest first, none negative, the last above 0; not changed any more
   */
  WeightedSmoother(double[] weights) {
    this.weights = weights;
    ring = new double[weights.length];
  }

  @Override
  public void add(double x) {
    int window = weights.length;
    ring[next] = x;
    next = (next + 1) % window;
    filled = Math.min(filled + 1, window);
    Compensated sum = new Compensated();
    Compensated total = new Compensated();
    for (int age = 0; age < filled; age++) {
      double each = weights[window - 1 - age];
      sum.add(each * ring[Math.floorMod(next - 1 - age, window)]);
      total.add(each);
    }
    value = sum.value() / total.value();
    weight = weights[window - 1] / total.value();
  }

  @Override
  public double value() {
    return value;
  }

  @Override
  public double weight() {
    return weight;
  }

  @Override
  public long window() {
    return weights.length;
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", TYPE);
    to.put("weights", weights.clone());
    to.put("filled", filled);
    to.put("ring", ring.clone());
    to.put("next", next);
    to.put("value", value);
    to.put("weight", weight);
  }

  @Override
  public void read(SeriesState from) {
    filled = (int) from.whole("filled", weights.length);
    System.arraycopy(from.numbers("ring", ring.length), 0, ring, 0, ring.length);
    next = (int) from.whole("next", ring.length - 1);
    value = from.number("value");
    weight = from.number("weight");
  }
}
