package io.github.ema4j;

/** Says what an entry of a state dict is to its model. */
public enum Role {
  /** A weight that the optimiser moves. */
  PARAMETER,
  /** A weight that the optimiser leaves alone for now. */
  FROZEN,
  /** A running statistic, such as batch normalisation's mean and variance. */
  STATISTIC,
  /** A counter or another integer, such as the number of batches seen. */
  COUNTER
}
