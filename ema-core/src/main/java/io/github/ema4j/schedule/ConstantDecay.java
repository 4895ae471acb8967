package io.github.ema4j.schedule;

import io.github.ema4j.internal.Checks;

/**
 * Keeps the same decay at every step; {@code decay^elapsed} over several.
 *
 * @param decay the decay of one step, in [0, 1]
 */
public record ConstantDecay(double decay) implements PerStepSchedule {

  /**
   * Checks the decay.
   *
   * @throws IllegalArgumentException if it is not in [0, 1]
   */
  public ConstantDecay {
    Checks.decay("decay", decay);
  }

  @Override
  public double decayOfStep(long time) {
    return decay;
  }
}
