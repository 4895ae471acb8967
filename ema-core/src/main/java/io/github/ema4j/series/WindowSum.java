package io.github.ema4j.series;

/**
 * The sum of the last n values. Nothing is ever subtracted, so there is nothing that could drift,
 * and a value that has left the window leaves no trace.
 *
 * <p>Values come in blocks of n. The window is a tail of the last block, whose sum was computed
 * when that block was complete, and the head of the present one, whose sum grows with it.
 */
final class WindowSum {
  /**
   * Before the position, the values of the present block; from it on, the sum of those values of
   * the last block that come after each place.
   */
  private final double[] block;

  private final Compensated head = new Compensated();
  private int position;
  private double sum;

  WindowSum(int window) {
    block = new double[window];
  }

  void add(double x) {
    double tail = block[position];
    block[position] = x;
    head.add(x);
    sum = tail + head.value();
    position++;
    if (position == block.length) {
      sumTails();
    }
  }

  private void sumTails() {
    head.clear();
    for (int i = block.length - 1; i >= 0; i--) {
      double x = block[i];
      block[i] = head.value();
      head.add(x);
    }
    head.clear();
    position = 0;
  }

  double sum() {
    return sum;
  }

  void write(String name, SeriesState to) {
    to.put(name, block.clone());
    to.put(name + "Position", position);
    head.write(name + "Head", to);
    to.put(name + "Total", sum);
  }

  void read(String name, SeriesState from) {
    System.arraycopy(from.numbers(name, block.length), 0, block, 0, block.length);
    position = (int) from.whole(name + "Position", block.length - 1);
    head.read(name + "Head", from);
    sum = from.number(name + "Total");
  }
}
