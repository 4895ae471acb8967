package io.github.ema4j;

/**
 * Says what happens when a model has NaN or infinity in a floating-point entry. One such value in
 * an averaged entry would stay in the average for good.
 *
 * <p>Looking is a read pass over the model before anything is written; on a device, it is one that
 * the update waits for.
 */
public enum NonFiniteGuard {
  /**
   * As {@link #FAIL} for what is in host memory. What is elsewhere is not looked at, as that waits
   * for the device. The default.
   */
  FAIL_ON_HOST,
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
