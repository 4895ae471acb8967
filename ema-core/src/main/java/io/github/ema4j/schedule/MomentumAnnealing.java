package io.github.ema4j.schedule;

import io.github.ema4j.internal.Checks;

/**
 * Lowers the momentum, which is one minus the decay, from 1 to its final value: {@code 1 -
 * max(momentum, gamma / (gamma + time - 1))}, as MMEngine's MomentumAnnealingEMA does (.0002 and
 * 100). The first update of one step copies. An update over several steps uses that value to the
 * power of {@code elapsed}.
 *
 * @param momentum the final share of the model in the average, in [0, 1]
 * @param gamma the number of steps that stretches the curve, above 0
 */
public record MomentumAnnealing(double momentum, double gamma) implements PerStepSchedule {

  /**
   * Checks the parameters.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  public MomentumAnnealing {
    Checks.decay("momentum", momentum);
    Checks.positive("gamma", gamma);
  }

  /** Returns this schedule with another gamma, in steps. */
  public MomentumAnnealing withGamma(double newGamma) {
    return new MomentumAnnealing(momentum, newGamma);
  }

  @Override
  public double decayOfStep(long time) {
    return 1 - Math.max(momentum, gamma / (gamma + (time - 1)));
  }
}
