package io.github.ema4j.checkpoint;

import io.github.ema4j.ElementType;

/**
 * A stretch of elements that tensors are views of; PyTorch's storage.
 *
 * @param key what the file calls it
 * @param type the type of its elements
 * @param elements how many there are
 */
record PthStorage(String key, ElementType type, long elements) {

  /** Returns how many bytes it takes. */
  long bytes() {
    return elements * type.bytes();
  }
}
