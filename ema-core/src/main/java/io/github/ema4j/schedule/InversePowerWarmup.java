package io.github.ema4j.schedule;

import io.github.ema4j.internal.Checks;

/**
 * Raises the decay from 0 towards its final value as training goes on, so that the random start is
 * forgotten early: timm's ModelEmaV3 with {@code use_warmup}, also found in diffusers.
 *
 * <p>With {@code s = max(0, time - updateAfter - 1)} the decay of one step is 0 while {@code s} is
 * 0 (the update copies), then {@code 1 - (1 + s / gamma)^-power}, at most {@code decay} and at
 * least {@code minDecay}. An update over several steps uses that value to the power of {@code
 * elapsed}.
 *
 * @param decay the final decay of one step, in [0, 1]
 * @param gamma the number of steps that stretches the curve, above 0
 * @param power how fast it rises, above 0; 2/3 reaches .999 after 31,600 steps and .9999 after a
 *     million, 3/4 after 10,000 and 215,400
 * @param minDecay the least decay once the warm-up has begun, in [0, 1]
 * @param updateAfter the number of steps during which the average is a copy of the model
 */
public record InversePowerWarmup(
    double decay, double gamma, double power, double minDecay, long updateAfter)
    implements PerStepSchedule {

  /**
   * Checks the parameters.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  public InversePowerWarmup {
    Checks.decay("decay", decay);
    Checks.decay("minDecay", minDecay);
    Checks.positive("gamma", gamma);
    Checks.positive("power", power);
    Checks.notNegative("updateAfter", updateAfter);
  }

  /** Returns this schedule with another gamma, in steps. */
  public InversePowerWarmup withGamma(double newGamma) {
    return new InversePowerWarmup(decay, newGamma, power, minDecay, updateAfter);
  }

  /** Returns this schedule with another power. */
  public InversePowerWarmup withPower(double newPower) {
    return new InversePowerWarmup(decay, gamma, newPower, minDecay, updateAfter);
  }

  /** Returns this schedule with another least decay. */
  public InversePowerWarmup withMinDecay(double newMinDecay) {
    return new InversePowerWarmup(decay, gamma, power, newMinDecay, updateAfter);
  }

  /** Returns this schedule with another number of copied steps. */
  public InversePowerWarmup withUpdateAfter(long newUpdateAfter) {
    return new InversePowerWarmup(decay, gamma, power, minDecay, newUpdateAfter);
  }

  @Override
  public double decayOfStep(long time) {
    long step = time - updateAfter - 1;
    if (step <= 0) {
      return 0;
    }
    double rising = 1 - StrictMath.pow(1 + step / gamma, -power);
    return Math.max(Math.min(rising, decay), minDecay);
  }
}
