package io.github.ema4j.series;

import java.util.Arrays;

/**
 * Kaufman's adaptive average: fast where the values go somewhere, slow where they go to and fro.
 */
final class KaufmanSmoother implements Smoother {
  static final String TYPE = "kaufman";

  private final int window;
  private final int fastWindow;
  private final int slowWindow;
  private final double fast;
  private final double slow;

  /** The last values; the oldest is the next to be overwritten. */
  private final double[] ring;

  private final WindowSum path;
  private final Compensated mean = new Compensated();
  private int next;
  private double previous;
  private double weight;

  KaufmanSmoother(int window, int fastWindow, int slowWindow) {
    this.window = window;
    this.fastWindow = fastWindow;
    this.slowWindow = slowWindow;
    fast = Alpha.ofWindow(fastWindow);
    slow = Alpha.ofWindow(slowWindow);
    ring = new double[window];
    path = new WindowSum(window);
  }

  @Override
  public void add(double x) {
    if (weight == 0) {
      Arrays.fill(ring, x);
      weight = 1;
    } else {
      path.add(Math.abs(x - previous));
      weight = weight(efficiency(Math.abs(x - ring[next])));
    }
    ring[next] = x;
    next = (next + 1) % window;
    previous = x;
    mean.add(weight * mean.below(x));
  }

  private double efficiency(double distance) {
    return path.sum() == 0 ? 1 : Math.min(1, distance / path.sum());
  }

  private double weight(double efficiency) {
    double root = efficiency * (fast - slow) + slow;
    return root * root;
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
    return Math.max(window, slowWindow);
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", TYPE);
    to.put("window", window);
    to.put("fastWindow", fastWindow);
    to.put("slowWindow", slowWindow);
    to.put("ring", ring.clone());
    path.write("path", to);
    mean.write("mean", to);
    to.put("next", next);
    to.put("previous", previous);
    to.put("weight", weight);
  }

  @Override
  public void read(SeriesState from) {
    System.arraycopy(from.numbers("ring", window), 0, ring, 0, window);
    path.read("path", from);
    mean.read("mean", from);
    next = (int) from.whole("next", window - 1);
    previous = from.number("previous");
    weight = from.number("weight");
  }
}
