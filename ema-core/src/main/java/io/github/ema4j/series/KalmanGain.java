package io.github.ema4j.series;

/** That of the Kalman filter of a value that wanders and is measured with noise. */
final class KalmanGain implements Gain {
  static final String TYPE = "kalman";

  private final double processVariance;
  private final double measurementVariance;

  /** One over the gain, which is also one over the estimate's variance in measurement variances. */
  private double inverse;

  KalmanGain(double processVariance, double measurementVariance) {
    this.processVariance = processVariance;
    this.measurementVariance = measurementVariance;
  }

  @Override
  public double next(double x, boolean first) {
    double rho = processVariance / measurementVariance;
    // The variance before the measurement, p + rho, gives the gain (p + rho) / (p + rho + 1).
    inverse = first ? 1 : 1 + inverse / (1 + rho * inverse);
    return 1 / inverse;
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
    to.put("inverse", inverse);
  }

  @Override
  public void read(SeriesState from) {
    inverse = from.number("inverse");
  }
}
