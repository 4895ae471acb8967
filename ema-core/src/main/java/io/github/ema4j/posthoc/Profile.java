package io.github.ema4j.posthoc;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.schedule.PowerFunction;

/**
 * How much of each model a power-function average has in it at one time: that of time {@code s} has
 * the weight {@code (gamma + 1) / time * (s / time)^gamma}, later ones none.
 *
 * @param time when, in the unit of the average's clock (steps unless the user counts otherwise), at
 *     least 1
 * @param gamma the exponent, at least {@link PowerFunction#MIN_GAMMA}
 */
public record Profile(long time, double gamma) {

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if the time is not positive or gamma is out of its range
   */
  public Profile {
    checkArgument(time >= 1, "the time of a profile must be at least 1, but was %s", time);
    PowerFunction.ofGamma(gamma);
  }

  /**
   * Returns the profile of an average that follows a schedule.
   *
   * @throws IllegalArgumentException if the time is not positive
   */
  public static Profile at(long time, PowerFunction schedule) {
    return new Profile(time, schedule.gamma());
  }

  /**
   * Returns the profile with a relative width.
   *
   * @param sigmaRel as {@link PowerFunction#ofSigmaRel} takes it
   * @throws IllegalArgumentException if the time is not positive or the width is out of its range
   */
  public static Profile ofSigmaRel(long time, double sigmaRel) {
    return at(time, PowerFunction.ofSigmaRel(sigmaRel));
  }

  /**
   * Returns the integral over all time of the product of two profiles, in one over the clock's
   * unit. With {@code a} the earlier and {@code b} the later it is {@code (ga + 1) (gb + 1) (ta /
   * tb)^gb / ((ga + gb + 1) tb)}: Karras et al., "Analyzing and Improving the Training Dynamics of
   * Diffusion Models", 2024, appendix C.
   */
  public double innerProduct(Profile other) {
    Profile earlier = time <= other.time ? this : other;
    Profile later = time <= other.time ? other : this;
    return (gamma + 1)
        * (other.gamma + 1)
        * StrictMath.pow((double) earlier.time / later.time, later.gamma)
        / ((gamma + other.gamma + 1) * later.time);
  }
}
