package io.github.ema4j;

/**
 * Says what happens when a model has NaN or infinity in a floating-point entry. One such value in
 * an averaged entry would stay in the average for good.
 *
 * <p>Looking is a read pass over the model before anything is written.
 */
public enum NonFiniteGuard {
  /** The update fails with the entry's name, and nothing has changed. */
  FAIL,
  /**
   * The update is skipped and counted in {@link Progress#skipped}; its time counts in the next
   * one's. Setting and starting an average fail, as there is nothing to go on from.
   */
  SKIP,
  /** Nobody looks. */
  ACCEPT
}
