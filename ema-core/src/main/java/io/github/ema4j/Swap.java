package io.github.ema4j;

/**
 * A model that runs on averaged weights for now. Closing it puts the model's own weights back, to
 * the last bit; made for try-with-resources.
 */
public interface Swap extends AutoCloseable {

  /**
   * Puts the model's own weights back. Does nothing when called again.
   *
   * @throws IllegalStateException if the model has changed its shapes or lost its memory since; the
   *     kept weights stay, and closing can be tried again
   */
  @Override
  void close();
}
