package io.github.ema4j.series;

/**
 * The mean of the last n values with weights n, n - 1, … 1, the newest first. As in {@link
 * WindowSum}, the window is a tail of the last block of values and the head of the present one.
 */
final class LinearSmoother implements Smoother {
  static final String TYPE = "linear";

  private final int window;

  /**
   * Before the position, the values of the present block; from it on, the weighted sum of those
   * values of the last block that come after each place, with weights 1, 2, … from the place on.
   */
  private final double[] block;

  private final Compensated sum = new Compensated();
  private final Compensated sumByPlace = new Compensated();
  private int filled;
  private int position;
  private double value;

  LinearSmoother(int window) {
    this.window = window;
    block = new double[window];
  }

  @Override
  public void add(double x) {
    double tail = block[position];
    block[position] = x;
    sum.add(x);
    sumByPlace.add(position * x);
    filled = Math.min(filled + 1, window);
    // The value at place j has the weight filled - (position - j).
    double head = (filled - position) * sum.value() + sumByPlace.value();
    value = (tail + head) / (filled * (filled + 1.0) / 2);
    position++;
    if (position == window) {
      sumTails();
    }
  }

  private void sumTails() {
    sum.clear();
    sumByPlace.clear();
    for (int i = window - 1; i >= 0; i--) {
      double x = block[i];
      block[i] = sumByPlace.value();
      sum.add(x);
      sumByPlace.add(sum.value());
    }
    sum.clear();
    sumByPlace.clear();
    position = 0;
  }

  @Override
  public double value() {
    return value;
  }

  @Override
  public double weight() {
    return 2 / (filled + 1.0);
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
    to.put("block", block.clone());
    to.put("position", position);
    sum.write("sum", to);
    sumByPlace.write("sumByPlace", to);
    to.put("value", value);
  }

  @Override
  public void read(SeriesState from) {
    filled = (int) from.whole("filled", window);
    System.arraycopy(from.numbers("block", window), 0, block, 0, window);
    position = (int) from.whole("position", window - 1);
    sum.read("sum", from);
    sumByPlace.read("sumByPlace", from);
    value = from.number("value");
  }
}
