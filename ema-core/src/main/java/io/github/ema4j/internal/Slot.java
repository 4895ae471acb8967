package io.github.ema4j.internal;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;

/**
 * One entry of the model that an average started from.
 *
 * @param name the model's name for it
 * @param modelSpec what the model's tensor looked like
 * @param treatment what updates do with it
 */
public record Slot(String name, TensorSpec modelSpec, Treatment treatment) {

  /** Tells whether the average keeps a tensor for this entry. */
  public boolean isKept() {
    return treatment != Treatment.SKIP;
  }
}
