package io.github.ema4j.series;

/** {@code alpha x + (1 - alpha) ema}, from the first value on or with the start's weight undone. */
final class ExponentialSmoother implements Smoother {
  static final String FIRST_VALUE = "exponential";
  static final String BIAS_CORRECTED = "bias-corrected";

  private final double alpha;
  private final boolean biasCorrected;
  private final Debias debias;
  private final Compensated mean = new Compensated();
  private double weight;

  ExponentialSmoother(double alpha, boolean biasCorrected) {
    this.alpha = alpha;
    this.biasCorrected = biasCorrected;
    debias = new Debias(alpha);
  }

  @Override
  public void add(double x) {
    if (biasCorrected) {
      weight = debias.next();
    } else {
      weight = weight == 0 ? 1 : alpha;
    }
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
    return Math.round(Alpha.window(alpha));
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", biasCorrected ? BIAS_CORRECTED : FIRST_VALUE);
    to.put("alpha", alpha);
    debias.write("covered", to);
    mean.write("mean", to);
    to.put("weight", weight);
  }

  @Override
  public void read(SeriesState from) {
    debias.read("covered", from);
    mean.read("mean", from);
    weight = from.number("weight");
  }
}
