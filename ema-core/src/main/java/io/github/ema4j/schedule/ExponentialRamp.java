package io.github.ema4j.schedule;

import io.github.ema4j.internal.Checks;

/**
 * Raises the decay towards its final value on an exponential curve: {@code decay * (1 - e^(-time /
 * tau))}, as Ultralytics' ModelEMA does (.9999 and 2000). At {@code tau} it is 63 % of the final
 * value. An update over several steps uses that value to the power of {@code elapsed}.
 *
 * @param decay the final decay of one step, in [0, 1]
 * @param tau the time constant of the ramp, in steps, above 0
 */
public record ExponentialRamp(double decay, double tau) implements PerStepSchedule {

  /**
   * Checks the parameters.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  public ExponentialRamp {
    Checks.decay("decay", decay);
    Checks.positive("tau", tau);
  }

  /** Returns this schedule with another time constant, in steps. */
  public ExponentialRamp withTau(double newTau) {
    return new ExponentialRamp(decay, newTau);
  }

  @Override
  public double decayOfStep(long time) {
    return decay * -StrictMath.expm1(-time / tau);
  }
}
