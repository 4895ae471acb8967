package io.github.ema4j.series;

/** How much of each new value an exponential average takes. */
interface Gain {

  /**
   * Returns the share of the next value, in (0, 1].
   *
   * @param first whether it is the first, all of which is taken whatever this returns
   */
  double next(double x, boolean first);

  /** Returns how many values the average looks back on. */
  long window();

  /** Writes its kind, what it was made with and where it is. */
  void write(SeriesState to);

  /** Reads where one of the same kind and making was. */
  void read(SeriesState from);
}
