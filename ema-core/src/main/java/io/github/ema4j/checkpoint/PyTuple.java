package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableList;

/**
 * A Python tuple. Not compared or hashed by what is in it: a few bytes of pickle can nest what
 * would take for ever.
 */
final class PyTuple {
  private final ImmutableList<Object> items;

  PyTuple(ImmutableList<Object> items) {
    this.items = items;
  }

  ImmutableList<Object> items() {
    return items;
  }

  @Override
  public String toString() {
    return "a tuple of " + items.size();
  }
}
