package io.github.ema4j.series;

/** One average of each kind. */
enum Kinds {
  SIMPLE(10),
  LINEAR(10),
  WEIGHTED(10),
  EXPONENTIAL(10),
  BIAS_CORRECTED(10),
  ADAPTIVE(40),
  KAUFMAN(30),
  KALMAN(6);

  private final int window;

  Kinds(int window) {
    this.window = window;
  }

  /** Returns how many values it looks back on. */
  int window() {
    return window;
  }

  MovingAverage make() {
    return switch (this) {
      case SIMPLE -> MovingAverage.simple(10);
      case LINEAR -> MovingAverage.weighted(10);
      case WEIGHTED -> MovingAverage.weighted(1, 0, 2, 1, 3, 1, 0.1, 4, 1, 2);
      case EXPONENTIAL -> MovingAverage.exponential(Alpha.ofWindow(10));
      case BIAS_CORRECTED -> MovingAverage.biasCorrected(Alpha.ofWindow(10));
      case ADAPTIVE -> MovingAverage.adaptive(0.2, 0.05, 10, 40);
      case KAUFMAN -> MovingAverage.kaufman(10, 2, 30);
      case KALMAN -> MovingAverage.kalman(1, 9); // settles at a gain of 0.2824
    };
  }
}
