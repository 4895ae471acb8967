package io.github.ema4j;

import io.github.ema4j.internal.Checks;

/**
 * The same decay at every step.
 *
 * @param decay the decay of one step
 */
record ConstantDecay(double decay) implements DecaySchedule {

  ConstantDecay {
    Checks.decay("decay", decay);
  }

  @Override
  public double decay(long time, long elapsed) {
    return Math.pow(decay, (double) elapsed);
  }
}
