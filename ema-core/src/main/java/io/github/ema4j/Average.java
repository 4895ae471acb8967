package io.github.ema4j;

/**
 * An average of a model's weights, for reading. One thread at a time, but for {@link #snapshot},
 * {@link #progress} and {@link #swapped}, which any thread may call at any time.
 *
 * @param <M> the framework's model type
 */
public interface Average<M> {

  /**
   * Puts the averaged weights into a model for evaluation, in place.
   *
   * <pre>{@code
   * try (Swap swap = ema.swapInto(model)) {
   *   evaluate(model);
   * }
   * }</pre>
   *
   * <p>Closing the swap restores the model's own weights exactly, whatever happened in between.
   * They are kept meanwhile in memory of the model's type, device and layout, allocated at the
   * first swap and owned by the average. Until then the average cannot be updated, written or
   * closed. If the swap fails, model and average are as they were.
   *
   * @throws IllegalArgumentException if the model does not pair with the average, with every
   *     difference
   * @throws IllegalStateException if a swap is open already or the average is closed
   */
  Swap swapInto(M model);

  /**
   * Overwrites a model's weights with the averaged ones.
   *
   * @throws IllegalArgumentException if the model does not pair with the average
   * @throws IllegalStateException if a swap is open or the average is closed
   */
  default void copyTo(M model) {
    copyTo(model, 1);
  }

  /**
   * Moves a model's weights towards the averaged ones: {@code m = m + factor * (e - m)}, by the
   * formula of {@link AveragingRule#LERP}. Entries that are not averaged are overwritten where the
   * factor is 1 and left alone otherwise.
   *
   * @param factor how far, in [0, 1]; 1 copies the bits, 0 changes none
   * @throws IllegalArgumentException if the factor is not in [0, 1], or the model does not pair
   *     with the average
   * @throws IllegalStateException if a swap is open or the average is closed
   */
  void copyTo(M model, double factor);

  /**
   * Returns a working model with the averaged weights, in evaluation mode and without gradients.
   * The first call makes it: from what the builder's {@code module} was given, by the framework's
   * own copy otherwise. Every call brings its weights up to date and returns the same model, which
   * the average owns.
   *
   * @throws UnsupportedOperationException if the framework cannot copy this model and no supplier
   *     was given
   * @throws IllegalArgumentException if the supplied model does not pair with the average or shares
   *     memory with the trained model
   * @throws IllegalStateException if the average is closed
   */
  M module();

  /**
   * Returns a live view of the averaged weights, for reading; it dies with the average, and when
   * {@link ModelEma#to} moves the average elsewhere. Skipped entries are not in it.
   *
   * @throws IllegalStateException if the average is closed
   */
  StateDict<?> state();

  /**
   * Returns a copy of the averaged weights as they are between two updates, while training goes on
   * in another thread; an update waits until the copy is made. The caller owns the copy and closes
   * it. Skipped entries are not in it.
   *
   * @throws IllegalStateException if the average is closed
   */
  StateDict<?> snapshot();

  /**
   * Measures how far a model is from the average, in one pass over both.
   *
   * @throws IllegalArgumentException if the model does not pair with the average
   * @throws IllegalStateException if a swap is open or the average is closed
   */
  Drift drift(M model);

  /** Returns how far the average has come; also when it is closed. */
  Progress progress();

  /** Tells whether some model holds the averaged weights through a swap right now. */
  boolean swapped();
}
