package io.github.ema4j.series;

/** The mean of the last n values. */
final class SimpleSmoother implements Smoother {
  static final String TYPE = "simple";

  private final int window;
  private final WindowSum sum;
  private int filled;

  SimpleSmoother(int window) {
    this.window = window;
    sum = new WindowSum(window);
  }

  @Override
  public void add(double x) {
    sum.add(x);
    filled = Math.min(filled + 1, window);
  }

  @Override
  public double value() {
    return sum.sum() / filled;
  }

  @Override
  public double weight() {
    return 1.0 / filled;
  }

  @Override
  public long window() {
    return window;
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", TYPE);
    to.put("window", window);
    to.put("filled", filled);
    sum.write("sum", to);
  }

  @Override
  public void read(SeriesState from) {
    filled = (int) from.whole("filled", window);
    sum.read("sum", from);
  }
}
