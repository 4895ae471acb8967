package io.github.ema4j.series;

import static java.util.Objects.requireNonNull;

import io.github.ema4j.internal.Checks;

/**
 * A band of {@code mean ± k sigma} around a stream of numbers that moves with it, and tells of a
 * value outside it: a threshold that need not be known beforehand.
 *
 * <pre>{@code
 * Band band = Band.of(Alpha.ofWindow(100), 3).onNonFinite(NonFinite.SKIP);
 * for (...) {
 *   if (band.add(loss)) {
 *     warn("the loss is out of the ordinary");
 *   }
 * }
 * }</pre>
 *
 * <p>Mean and variance are exponentially weighted, {@code v = (1 - a) (v + a (x - m)^2)}, and start
 * with nothing, as {@link MovingAverage#biasCorrected} does. A value is held against the band as it
 * was before, and is part of it afterwards: after a lasting change the band comes to rest there.
 * Not thread-safe.
 */
public final class Band {
  private final double alpha;
  private final double k;
  private final long warmUp;
  private final Moments moments;
  private final Intake intake;

  private Band(double alpha, double k, Intake intake) {
    this.alpha = alpha;
    this.k = k;
    this.intake = intake;
    warmUp = Math.round(Alpha.window(alpha));
    moments = new Moments(alpha);
  }

  /**
   * Returns a band that has seen nothing yet. It tells of nothing before so many values have come
   * as the window of {@code alpha} is long.
   *
   * @param alpha the weight of the newest value; {@link Alpha} converts to it
   * @param k how many standard deviations wide, to either side; above 0. Of normally distributed
   *     values one in 370 is outside of 3
   * @throws IllegalArgumentException if alpha is not in (0, 1], or k not above 0 and finite
   */
  public static Band of(double alpha, double k) {
    Alpha.check("alpha", alpha);
    Checks.positive("k", k);
    return new Band(alpha, k, new Intake());
  }

  /**
   * Says what becomes of values that are not finite; {@link NonFinite#REFUSE} unless it is said.
   * Those that are not refused are outside of every band.
   *
   * @return this band
   * @throws IllegalStateException if there was a value already
   */
  public Band onNonFinite(NonFinite policy) {
    intake.policy(policy);
    return this;
  }

  /**
   * Takes the next value.
   *
   * @return whether it is outside the band that the values before it made
   * @throws IllegalArgumentException if the value is refused; nothing has changed then
   */
  public boolean add(double x) {
    boolean outside = intake.count() >= warmUp && (x < lower() || x > upper());
    if (!intake.takes(x, warmUp)) {
      return true;
    }
    moments.add(x);
    return outside;
  }

  /** Returns the middle of the band; NaN before the first value and where NaN has come. */
  public double mean() {
    return intake.isValid() ? moments.mean() : Double.NaN;
  }

  /** Returns the standard deviation; NaN where {@link #mean} is. */
  public double sigma() {
    return intake.isValid() ? Math.sqrt(moments.variance()) : Double.NaN;
  }

  /** Returns the lower edge of the band; NaN where {@link #mean} is. */
  public double lower() {
    return mean() - k * sigma();
  }

  /** Returns the upper edge of the band; NaN where {@link #mean} is. */
  public double upper() {
    return mean() + k * sigma();
  }

  /** Returns the whole state as JSON, which {@link #ofJson} goes on from with the same bits. */
  public String toJson() {
    SeriesState state = new SeriesState();
    state.put("alpha", alpha);
    state.put("k", k);
    moments.write("", state);
    intake.write(state);
    return state.toJson();
  }

  /**
   * Returns the band that {@link #toJson} wrote.
   *
   * @throws IllegalArgumentException if it is malformed
   */
  public static Band ofJson(String json) {
    SeriesState state = SeriesState.ofJson(requireNonNull(json, "json"));
    double alpha = state.number("alpha");
    double k = state.number("k");
    of(alpha, k);
    Band band = new Band(alpha, k, Intake.read(state));
    band.moments.read("", state);
    state.checkEmpty();
    return band;
  }
}
