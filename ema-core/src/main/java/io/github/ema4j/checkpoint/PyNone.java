package io.github.ema4j.checkpoint;

/** Python's {@code None}. */
enum PyNone {
  NONE
}
