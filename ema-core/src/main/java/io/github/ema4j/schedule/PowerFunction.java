package io.github.ema4j.schedule;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.DecaySchedule;

/**
 * A decay whose average looks back on a fixed share of the training, however long that has been:
 * {@code (1 - elapsed / time)^(gamma + 1)}, with the time counted after the update.
 *
 * <p>At time {@code t} the model of time {@code s} has the weight {@code (gamma + 1) / t * (s /
 * t)^gamma}: the start is forgotten from the first update on, which copies. A gamma of 0 is the
 * plain mean of all models so far. Because {@code elapsed} is part of the formula, updates every k
 * steps follow the same curve as updates at every step.
 *
 * <p>The width is also told as {@code sigmaRel}, the standard deviation of those weights relative
 * to {@code t}: .05 looks back on the last tenth of the training or so. From Karras et al.,
 * "Analyzing and Improving the Training Dynamics of Diffusion Models", 2024, section 3.1 and
 * appendix C, {@code sigmaRel^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3))}.
 *
 * @param gamma the exponent, in [{@value #MIN_GAMMA}, infinity); the higher, the shorter the memory
 */
public record PowerFunction(double gamma) implements DecaySchedule {

  /** The gamma of the widest profile, {@code (sqrt(5) - 3) / 2}; below it widths would repeat. */
  public static final double MIN_GAMMA = -0.38196601125010515;

  /** The {@code sigmaRel} of the widest profile, that of {@link #MIN_GAMMA}. */
  public static final double MAX_SIGMA_REL = 0.3002831060007776;

  /**
   * Checks the exponent.
   *
   * @throws IllegalArgumentException if gamma is below {@link #MIN_GAMMA} or not finite
   */
  public PowerFunction {
    checkArgument(
        gamma >= MIN_GAMMA && gamma < Double.POSITIVE_INFINITY,
        "gamma must be finite and at least %s, that of the widest power function, but was %s",
        MIN_GAMMA,
        gamma);
  }

  /**
   * Returns the schedule with an exponent.
   *
   * @throws IllegalArgumentException if gamma is below {@link #MIN_GAMMA} or not finite
   */
  public static PowerFunction ofGamma(double gamma) {
    return new PowerFunction(gamma);
  }

  /**
   * Returns the schedule with a relative width: gamma is the largest real root of {@code g^3 + 7
   * g^2 + (16 - s^-2) g + (12 - s^-2) = 0}.
   *
   * @param sigmaRel the standard deviation of the weights in shares of the time, in (0, {@value
   *     #MAX_SIGMA_REL}]
   * @throws IllegalArgumentException if there is no such power function
   */
  public static PowerFunction ofSigmaRel(double sigmaRel) {
    checkArgument(
        sigmaRel > 0 && sigmaRel <= MAX_SIGMA_REL,
        "sigmaRel must be in (0, %s], as no power function is wider, but was %s",
        MAX_SIGMA_REL,
        sigmaRel);
    // Above MIN_GAMMA the width falls steadily, and it is below 1 / gamma: halving finds the root
    // to the last bit where the cubic's coefficients would have lost it.
    double wider = MIN_GAMMA;
    double narrower = Math.min(1 / sigmaRel, Double.MAX_VALUE);
    while (true) {
      double middle = wider + (narrower - wider) / 2;
      if (middle <= wider || middle >= narrower) {
        return new PowerFunction(wider);
      }
      if (width(middle) >= sigmaRel) {
        wider = middle;
      } else {
        narrower = middle;
      }
    }
  }

  /** Returns the standard deviation of the weights in shares of the time. */
  public double sigmaRel() {
    return width(gamma);
  }

  /**
   * Returns the decay of an update; 0, so that the update copies, if it covers all of the time.
   *
   * <p>The clock may count steps or samples, but time and elapsed must count the same.
   */
  @Override
  public double decay(long time, long elapsed) {
    if (elapsed >= time) {
      return 0;
    }
    return StrictMath.exp((gamma + 1) * StrictMath.log1p(-(double) elapsed / time));
  }

  private static double width(double gamma) {
    return Math.sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2);
  }
}
