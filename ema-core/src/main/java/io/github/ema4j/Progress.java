package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.internal.Checks;

/**
 * How far an average has come; what a resumed run needs to continue exactly.
 *
 * @param updates the number of updates
 * @param time the time at which the last update ended, in the clock's unit
 * @param pending the time that has passed since, in the clock's unit
 * @param microSteps how many micro-steps of an optimiser step that is not complete were seen
 * @param skipped the number of updates that {@link NonFiniteGuard#SKIP} left out
 * @param decay the decay of the last update; NaN before the first
 * @param startWeight the share of the average that its starting point still has, in [0, 1]: the
 *     product of the decays since the start or since the last {@code set} or {@code load}
 * @param logDecayProduct the natural logarithm of the product of all decays that the schedule has
 *     given, before any zero-debiasing, which is computed from it; 0 before the first, negative
 *     infinity once one was 0
 */
public record Progress(
    long updates,
    long time,
    long pending,
    int microSteps,
    long skipped,
    double decay,
    double startWeight,
    double logDecayProduct) {

  /** Where an average starts. */
  public static final Progress START = new Progress(0, 0, 0, 0, 0, Double.NaN, 1, 0);

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if one is out of its range
   */
  public Progress {
    Checks.notNegative("updates", updates);
    Checks.notNegative("time", time);
    Checks.notNegative("pending", pending);
    Checks.notNegative("microSteps", microSteps);
    Checks.notNegative("skipped", skipped);
    if (!Double.isNaN(decay)) {
      Checks.decay("decay", decay);
    }
    Checks.decay("startWeight", startWeight);
    checkArgument(
        logDecayProduct <= 0, "logDecayProduct must not be above 0, but was %s", logDecayProduct);
  }

  /**
   * Returns how many updates the average looks back on at its present decay: {@code 1 / (1 - d)};
   * infinite for a decay of 1, NaN before the first update.
   */
  public double effectiveWindow() {
    return 1 / (1 - decay);
  }

  /** Returns this progress with the model as the new starting point. */
  Progress restarted() {
    return new Progress(updates, time, pending, microSteps, skipped, decay, 1, logDecayProduct);
  }
}
