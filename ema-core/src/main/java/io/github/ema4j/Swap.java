package io.github.ema4j;

/**
 * A model that runs on averaged weights for now. Closing it puts the model's own weights back, to
 * the last bit; made for try-with-resources.
 */
public interface Swap extends AutoCloseable {

  /**
   * Puts the model's own weights back. Does nothing when called again.
   *
   * @throws IllegalStateException if the model has changed its shapes or types since: the kept
   *     weights stay, and closing can be tried again; or if its tensors are closed or released,
   *     with which its weights are lost: the swap is over
   */
  @Override
  void close();
}
