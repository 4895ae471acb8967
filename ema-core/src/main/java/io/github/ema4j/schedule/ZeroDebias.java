package io.github.ema4j.schedule;

import static java.util.Objects.requireNonNull;

import io.github.ema4j.DecaySchedule;

/**
 * Takes the starting point out of the average: what TensorFlow ({@code zero_debias}) and optax
 * ({@code debias}) do by starting at 0 and dividing by {@code 1 - product of all decays}. That
 * equals ordinary updates whose weight is {@code (1 - d_n) / (1 - d_1 ... d_n)}, so no second state
 * is needed. The first update then copies.
 *
 * <p>{@link #decay} is the other schedule's own; the average, which knows the product of the decays
 * so far, corrects it by {@link #debiasedDecay}. Where an update has copied (a delay, a warm-up
 * that starts at 0), nothing is left of the start and there is nothing to correct.
 *
 * @param schedule whose average is debiased
 */
public record ZeroDebias(DecaySchedule schedule) implements DecaySchedule {

  /** Checks that there is a schedule. */
  public ZeroDebias {
    requireNonNull(schedule, "schedule");
  }

  @Override
  public double decay(long time, long elapsed) {
    return schedule.decay(time, elapsed);
  }

  @Override
  public boolean isZeroDebiased() {
    return true;
  }

  /**
   * Returns the decay of an update that takes the weight of the starting point out: {@code 1 - (1 -
   * d) / (1 - p d)}, where p is the product of the schedule's decays before it.
   *
   * <p>The product is passed as its logarithm, the sum of the decays' logarithms, because it is
   * near 1 where the correction matters most. It is that of the schedule's own decays, not of the
   * corrected ones.
   *
   * <p>As long as all decays were 1, no model has any weight yet: the update copies, whatever its
   * decay.
   *
   * @param decay what the schedule says, in [0, 1]
   * @param logProductBefore the logarithm of the product of the decays of all updates before this
   *     one, 0 before the first, negative infinity once one was 0
   * @return the decay to use, in [0, decay]
   */
  public static double debiasedDecay(double decay, double logProductBefore) {
    if (logProductBefore == 0) {
      return 0;
    }
    // The same as above, d (1 - p) / (1 - p d), without cancellation at either end.
    double kept =
        StrictMath.expm1(logProductBefore)
            / StrictMath.expm1(logProductBefore + StrictMath.log(decay));
    return Math.min(decay * kept, decay);
  }
}
