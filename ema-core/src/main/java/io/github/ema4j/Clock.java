package io.github.ema4j;

/** Says in which unit the time of an average passes. */
public enum Clock {
  /** Optimiser steps: a call of {@link ModelEma#update(Object)} is one. */
  STEPS,
  /** Training samples: every call of {@code update} says how many. */
  SAMPLES
}
