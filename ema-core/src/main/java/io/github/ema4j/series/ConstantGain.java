package io.github.ema4j.series;

/** The same share of every value but the first. */
record ConstantGain(double alpha) implements Gain {
  static final String TYPE = "exponential";

  @Override
  public double next(double x, boolean first) {
    return alpha;
  }

  @Override
  public long window() {
    return Math.round(Alpha.window(alpha));
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", TYPE);
    to.put("alpha", alpha);
  }

  @Override
  public void read(SeriesState from) {
    // There is nothing but the alpha.
  }
}
