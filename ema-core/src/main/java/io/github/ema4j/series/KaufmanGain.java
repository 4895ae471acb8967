package io.github.ema4j.series;

import java.util.Arrays;

/** Kaufman's: much where the values go somewhere, little where they go to and fro. */
final class KaufmanGain implements Gain {
  static final String TYPE = "kaufman";

  private final int window;
  private final int fastWindow;
  private final int slowWindow;
  private final double fast;
  private final double slow;

  /** The last values; the oldest is the next to be overwritten. */
  private final double[] ring;

  private final WindowSum path;
  private int next;
  private double previous;

  KaufmanGain(int window, int fastWindow, int slowWindow) {
    this.window = window;
    this.fastWindow = fastWindow;
    this.slowWindow = slowWindow;
    fast = Alpha.ofWindow(fastWindow);
    slow = Alpha.ofWindow(slowWindow);
    ring = new double[window];
    path = new WindowSum(window);
  }

  @Override
  public double next(double x, boolean first) {
    if (first) {
      Arrays.fill(ring, x);
    } else {
      path.add(Math.abs(x - previous));
    }
    double distance = Math.abs(x - ring[next]);
    ring[next] = x;
    next = (next + 1) % window;
    previous = x;
    double efficiency = path.sum() == 0 ? 1 : Math.min(1, distance / path.sum());
    double root = efficiency * (fast - slow) + slow;
    return root * root;
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
    to.put("next", next);
    to.put("previous", previous);
    path.write("path", to);
  }

  @Override
  public void read(SeriesState from) {
    System.arraycopy(from.numbers("ring", window), 0, ring, 0, window);
    next = (int) from.whole("next", window - 1);
    previous = from.number("previous");
    path.read("path", from);
  }
}
