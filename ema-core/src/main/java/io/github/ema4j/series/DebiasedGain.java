package io.github.ema4j.series;

/** {@code alpha / (1 - (1 - alpha)^n)} of the n-th value, which undoes the weight of the start. */
final class DebiasedGain implements Gain {
  static final String TYPE = "bias-corrected";

  private final double alpha;
  private final Debias debias;

  DebiasedGain(double alpha) {
    this.alpha = alpha;
    debias = new Debias(alpha);
  }

  @Override
  public double next(double x, boolean first) {
    return debias.next();
  }

  @Override
  public long window() {
    return Math.round(Alpha.window(alpha));
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", TYPE);
    to.put("alpha", alpha);
    debias.write("covered", to);
  }

  @Override
  public void read(SeriesState from) {
    debias.read("covered", from);
  }
}
