package io.github.ema4j.schedule;

import io.github.ema4j.internal.Checks;

/**
 * Moves the decay from one value to another on half a cosine: {@code decay - (decay - startDecay) *
 * (1 + cos(pi * time / duration)) / 2}, as BYOL (Grill et al. 2020) moves from .996 to 1. From
 * {@code duration} on it is {@code decay}. It may rise or fall. An update over several steps uses
 * that value to the power of {@code elapsed}.
 *
 * @param startDecay the decay of one step at time 0, in [0, 1]
 * @param decay the final decay of one step, in [0, 1]
 * @param duration how many steps it takes to get there, at least 1
 */
public record CosineDecay(double startDecay, double decay, long duration)
    implements PerStepSchedule {

  /**
   * Checks the parameters.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  public CosineDecay {
    Checks.decay("startDecay", startDecay);
    Checks.decay("decay", decay);
    Checks.atLeastOne("duration", duration);
  }

  @Override
  public double decayOfStep(long time) {
    if (time >= duration) {
      return decay;
    }
    double left = (1 + StrictMath.cos(Math.PI * time / duration)) / 2;
    return decay - (decay - startDecay) * left;
  }
}
