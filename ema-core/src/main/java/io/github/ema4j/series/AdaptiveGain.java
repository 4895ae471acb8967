package io.github.ema4j.series;

/** More where the values vary more than they used to. */
final class AdaptiveGain implements Gain {
  static final String TYPE = "adaptive";

  private final double alpha;
  private final double minAlpha;
  private final int shortWindow;
  private final int longWindow;
  private final Moments recent;
  private final Moments usual;

  AdaptiveGain(double alpha, double minAlpha, int shortWindow, int longWindow) {
    this.alpha = alpha;
    this.minAlpha = minAlpha;
    this.shortWindow = shortWindow;
    this.longWindow = longWindow;
    recent = new Moments(Alpha.ofWindow(shortWindow));
    usual = new Moments(Alpha.ofWindow(longWindow));
  }

  @Override
  public double next(double x, boolean first) {
    recent.add(x);
    usual.add(x);
    double ratio = usual.variance() == 0 ? 1 : Math.sqrt(recent.variance() / usual.variance());
    return Math.min(1, Math.max(minAlpha, alpha * ratio));
  }

  @Override
  public long window() {
    return longWindow;
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", TYPE);
    to.put("alpha", alpha);
    to.put("minAlpha", minAlpha);
    to.put("shortWindow", shortWindow);
    to.put("longWindow", longWindow);
    recent.write("recent", to);
    usual.write("usual", to);
  }

  @Override
  public void read(SeriesState from) {
    recent.read("recent", from);
    usual.read("usual", from);
  }
}
