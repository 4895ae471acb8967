package io.github.ema4j.series;

/** The Kalman filter of a value that wanders and is measured with noise. */
final class KalmanSmoother implements Smoother {
  static final String TYPE = "kalman";

  private final double processVariance;
  private final double measurementVariance;
  private final Compensated mean = new Compensated();

  /** One over the gain, which is also one over the estimate's variance in measurement variances. */
  private double inverseGain;

  KalmanSmoother(double processVariance, double measurementVariance) {
    this.processVariance = processVariance;
    this.measurementVariance = measurementVariance;
  }

  @Override
  public void add(double x) {
    double rho = processVariance / measurementVariance;
    // The variance before the measurement, p + rho, gives the gain (p + rho) / (p + rho + 1).
    inverseGain = inverseGain == 0 ? 1 : 1 + inverseGain / (1 + rho * inverseGain);
    mean.add(mean.below(x) / inverseGain);
  }

  @Override
  public double value() {
    return mean.value();
  }

  @Override
  public double weight() {
    return 1 / inverseGain;
  }

  @Override
  public long window() {
    double steady = Alpha.ofKalman(processVariance, measurementVariance);
    return steady == 0 ? Long.MAX_VALUE : Math.round(Alpha.window(steady));
  }

  @Override
  public void write(SeriesState to) {
    to.put("type", TYPE);
    to.put("processVariance", processVariance);
    to.put("measurementVariance", measurementVariance);
    mean.write("mean", to);
    to.put("inverseGain", inverseGain);
  }

  @Override
  public void read(SeriesState from) {
    mean.read("mean", from);
    inverseGain = from.number("inverseGain");
  }
}
