package io.github.ema4j.series;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * A moving average of a stream of numbers: a loss, a metric, a feature.
 *
 * <pre>{@code
 * MovingAverage loss = MovingAverage.exponential(Alpha.ofWindow(50));
 * for (...) {
 *   double smooth = loss.add(trainOneStep());
 * }
 * }</pre>
 *
 * <p>Each value costs the same time and no memory, whatever number there were before it (that of
 * {@link #weighted(double...)} grows with the number of weights); of the windows of {@link #simple}
 * and {@link #weighted(int)} every n-th value takes n steps, so that this holds on average. What
 * has left a window leaves no trace: results differ from exact arithmetic by a few units in the
 * last place of the largest number in it, after any number of values. They are the same on every
 * machine.
 *
 * <p>An average looks at the past alone, so that it comes late: by {@code (n - 1) / 2} values for a
 * window of n. Not thread-safe.
 */
public final class MovingAverage {

  /** The largest magnitude of a value that is averaged; see {@link NonFinite}. */
  public static final double LIMIT = 1e150;

  /** The largest number of values that are kept. */
  static final int MAX_WINDOW = 1 << 24;

  private final Smoother smoother;
  private final Intake intake;
  private final long window;

  private MovingAverage(Smoother smoother, Intake intake) {
    this.smoother = smoother;
    this.intake = intake;
    window = smoother.window();
  }

  private static MovingAverage of(Smoother smoother) {
    return new MovingAverage(smoother, new Intake());
  }

  private static MovingAverage of(Gain gain) {
    return of(new ExponentialSmoother(gain));
  }

  /**
   * Returns the mean of the last {@code window} values, or of those that there are.
   *
   * @throws IllegalArgumentException if the window is not in [1, 2^24]
   */
  public static MovingAverage simple(int window) {
    checkWindow("window", window);
    return of(new SimpleSmoother(window));
  }

  /**
   * Returns the mean of the last {@code window} values, or of those that there are, with weights
   * that fall in even steps: n for the newest, 1 for the oldest.
   *
   * @throws IllegalArgumentException if the window is not in [1, 2^24]
   */
  public static MovingAverage weighted(int window) {
    checkWindow("window", window);
    return of(new LinearSmoother(window));
  }

  /**
   * Returns the mean of the last values with given weights: {@code sum(w x) / sum(w)}. As long as
   * there are fewer values than weights, the first weights are not used. Each value takes time for
   * all weights.
   *
   * @param weights oldest value first; none negative, the last above 0, their sum at most {@link
   *     #LIMIT}
   * @throws IllegalArgumentException if they are not so
   */
  public static MovingAverage weighted(double... weights) {
    double sum = 0;
    for (double weight : weights) {
      checkArgument(weight >= 0, "weights must not be negative, but one was %s", weight);
      sum += weight;
    }
    checkArgument(sum <= LIMIT, "the weights must sum up to %s at most, not to %s", LIMIT, sum);
    checkArgument(
        weights.length > 0 && weights[weights.length - 1] > 0,
        "the last weight, that of the newest value, must be above 0");
    return of(new WeightedSmoother(weights.clone()));
  }

  /**
   * Returns the exponential average {@code alpha x + (1 - alpha) ema} that starts with the first
   * value.
   *
   * @param alpha the weight of the newest value; {@link Alpha} converts to it
   * @throws IllegalArgumentException if alpha is not in (0, 1]
   */
  public static MovingAverage exponential(double alpha) {
    Alpha.check("alpha", alpha);
    return of(new ConstantGain(alpha));
  }

  /**
   * Returns the exponential average that starts with nothing: the n-th value has the weight {@code
   * alpha / (1 - (1 - alpha)^n)}. The first values count as much as those after them, where {@link
   * #exponential} gives the first one all that it had. As TensorBoard's smoothing, which is {@code
   * 1 - alpha}.
   *
   * @param alpha the weight of the newest value in the long run
   * @throws IllegalArgumentException if alpha is not in (0, 1]
   */
  public static MovingAverage biasCorrected(double alpha) {
    Alpha.check("alpha", alpha);
    return of(new DebiasedGain(alpha));
  }

  /**
   * Returns an exponential average that follows faster where the values vary more than they used
   * to: its weight is {@code alpha * s / l}, where s and l are the standard deviations, themselves
   * exponentially weighted, over a short and a long window; within {@code [minAlpha, 1]}. After
   * Chande, "Adapting moving averages to market volatility", 1992.
   *
   * @param alpha the weight of the newest value as long as both are the same
   * @param minAlpha the least weight
   * @throws IllegalArgumentException if a weight is not in (0, 1], the least is not the lesser, a
   *     window is not in [1, 2^24], or the short one is not the shorter
   */
  public static MovingAverage adaptive(
      double alpha, double minAlpha, int shortWindow, int longWindow) {
    Alpha.check("alpha", alpha);
    Alpha.check("minAlpha", minAlpha);
    checkArgument(minAlpha <= alpha, "minAlpha %s must not be above alpha %s", minAlpha, alpha);
    checkWindow("shortWindow", shortWindow);
    checkWindow("longWindow", longWindow);
    checkShorter("shortWindow", shortWindow, "longWindow", longWindow);
    return of(new AdaptiveGain(alpha, minAlpha, shortWindow, longWindow));
  }

  /**
   * Returns Kaufman's adaptive average: its weight is {@code (r (f - s) + s)^2}, where f and s are
   * those of a fast and a slow window, and r, the efficiency ratio, is how far the values have come
   * in the window over the way that they went: {@code |x_k - x_(k-n)| / sum |x_i - x_(i-1)|}; 1 if
   * they stayed. From Kaufman, "Smarter Trading", 1995, where the windows are 10, 2 and 30.
   *
   * @param window over how many steps efficiency is measured
   * @param fastWindow how long the average looks back where the values go straight on
   * @param slowWindow how long it looks back where they go nowhere
   * @throws IllegalArgumentException if a window is not in [1, 2^24] or the fast one is not the
   *     shorter
   */
  public static MovingAverage kaufman(int window, int fastWindow, int slowWindow) {
    checkWindow("window", window);
    checkWindow("fastWindow", fastWindow);
    checkWindow("slowWindow", slowWindow);
    checkShorter("fastWindow", fastWindow, "slowWindow", slowWindow);
    return of(new KaufmanGain(window, fastWindow, slowWindow));
  }

  /**
   * Returns the Kalman filter of a value that wanders by random steps and is measured with noise.
   * Its gain falls from 1 to {@link Alpha#ofKalman}, and from then on it is an exponential average.
   * Without process variance it is the mean of all values.
   *
   * @param processVariance the variance of a step; at least 0
   * @param measurementVariance the variance of the noise; above 0
   * @throws IllegalArgumentException if one is out of its range or not finite
   */
  public static MovingAverage kalman(double processVariance, double measurementVariance) {
    Alpha.checkVariances(processVariance, measurementVariance);
    return of(new KalmanGain(processVariance, measurementVariance));
  }

  /**
   * Says what becomes of values that are not finite; {@link NonFinite#REFUSE} unless it is said.
   *
   * @return this average
   * @throws IllegalStateException if there was a value already
   */
  public MovingAverage onNonFinite(NonFinite policy) {
    intake.policy(policy);
    return this;
  }

  /**
   * Takes the next value.
   *
   * @return the average, as {@link #value}
   * @throws IllegalArgumentException if the value is refused; nothing has changed then
   */
  public double add(double x) {
    if (intake.takes(x, window)) {
      smoother.add(x);
    }
    return value();
  }

  /**
   * Smooths values, one after another: what {@link #add} returns for each.
   *
   * @throws IllegalArgumentException if a value is refused; those before it have been taken
   */
  public double[] smooth(double... values) {
    double[] smooth = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      smooth[i] = add(values[i]);
    }
    return smooth;
  }

  /**
   * Returns the average; NaN before the first value and where NaN has {@linkplain NonFinite come}.
   */
  public double value() {
    return intake.isValid() ? smoother.value() : Double.NaN;
  }

  /** Returns the share that the last averaged value has in the average; NaN before the first. */
  public double weight() {
    return count() == 0 ? Double.NaN : smoother.weight();
  }

  /** Returns the number of values that were averaged. */
  public long count() {
    return intake.count();
  }

  /** Returns the number of values that were left out as not finite. */
  public long skipped() {
    return intake.skipped();
  }

  /** Returns the whole state as JSON, which {@link #ofJson} goes on from with the same bits. */
  public String toJson() {
    SeriesState state = new SeriesState();
    smoother.write(state);
    intake.write(state);
    return state.toJson();
  }

  /**
   * Returns the average that {@link #toJson} wrote. Text from anywhere is safe to read; it may ask
   * for the memory of the window that it names.
   *
   * @throws IllegalArgumentException if it is malformed
   */
  public static MovingAverage ofJson(String json) {
    SeriesState state = SeriesState.ofJson(json);
    Smoother smoother = made(state).smoother;
    smoother.read(state);
    Intake intake = Intake.read(state);
    state.checkEmpty();
    return new MovingAverage(smoother, intake);
  }

  private static MovingAverage made(SeriesState state) {
    String type = state.text("type");
    return switch (type) {
      case SimpleSmoother.TYPE -> simple(state.window("window"));
      case LinearSmoother.TYPE -> weighted(state.window("window"));
      case WeightedSmoother.TYPE -> weighted(state.numbers("weights"));
      case ConstantGain.TYPE -> exponential(state.number("alpha"));
      case DebiasedGain.TYPE -> biasCorrected(state.number("alpha"));
      case AdaptiveGain.TYPE ->
          adaptive(
              state.number("alpha"),
              state.number("minAlpha"),
              state.window("shortWindow"),
              state.window("longWindow"));
      case KaufmanGain.TYPE ->
          kaufman(state.window("window"), state.window("fastWindow"), state.window("slowWindow"));
      case KalmanGain.TYPE ->
          kalman(state.number("processVariance"), state.number("measurementVariance"));
      default -> throw SeriesState.malformed("there is no average of type '" + type + "'");
    };
  }

  private static void checkWindow(String name, int window) {
    checkArgument(
        window >= 1 && window <= MAX_WINDOW,
        "%s must be in [1, %s], but was %s",
        name,
        MAX_WINDOW,
        window);
  }

  private static void checkShorter(String shorter, int a, String longer, int b) {
    checkArgument(a <= b, "%s %s must not be longer than %s %s", shorter, a, longer, b);
  }
}
