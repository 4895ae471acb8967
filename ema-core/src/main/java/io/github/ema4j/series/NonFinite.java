package io.github.ema4j.series;

/**
 * What becomes of a value that is NaN, infinite, or beyond ±{@value MovingAverage#LIMIT}, where
 * squares and sums would overflow.
 */
public enum NonFinite {
  /** It is refused with an error, and nothing changes. */
  REFUSE,

  /** It is counted and otherwise left out, as if it had not come. */
  SKIP,

  /**
   * The average is NaN until so many others have come as its window is long; what it is then is as
   * if the value had been left out.
   */
  PROPAGATE
}
