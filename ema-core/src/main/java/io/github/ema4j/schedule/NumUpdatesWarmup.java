package io.github.ema4j.schedule;

import io.github.ema4j.internal.Checks;

/**
 * Raises the decay with the number of updates: {@code min(decay, (1 + time) / (warmupFactor +
 * time))}. With a factor of 10 this is {@code num_updates} of TensorFlow's
 * ExponentialMovingAverage, also torch_ema's {@code use_num_updates}; d2go has the factor as a
 * setting. It starts at .18, .25, .31 and reaches .9999 at 89,990. An update over several steps
 * uses that value to the power of {@code elapsed}.
 *
 * @param decay the final decay of one step, in [0, 1]
 * @param warmupFactor the number of steps that stretches the curve, at least 1
 */
public record NumUpdatesWarmup(double decay, double warmupFactor) implements PerStepSchedule {

  /**
   * Checks the parameters.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  public NumUpdatesWarmup {
    Checks.decay("decay", decay);
    Checks.atLeastOne("warmupFactor", warmupFactor);
  }

  /** Returns this schedule with another factor, in steps. */
  public NumUpdatesWarmup withWarmupFactor(double newWarmupFactor) {
    return new NumUpdatesWarmup(decay, newWarmupFactor);
  }

  @Override
  public double decayOfStep(long time) {
    return Math.min(decay, (1.0 + time) / (warmupFactor + time));
  }
}
