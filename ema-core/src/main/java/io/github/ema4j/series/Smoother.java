package io.github.ema4j.series;

/** The arithmetic of one kind of average, for values that are finite and not too large. */
interface Smoother {

  void add(double x);

  /** Returns the average; unspecified before the first value. */
  double value();

  /** Returns the share that the newest value has in the average. */
  double weight();

  /** Returns how many values the average looks back on. */
  long window();

  /** Writes its kind, what it was made with and where it is. */
  void write(SeriesState to);

  /** Reads where one of the same kind and making was. */
  void read(SeriesState from);
}
