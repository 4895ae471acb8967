package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

/**
 * When an average is updated. Calls of {@code update} between updates add to the time that has
 * passed and touch no memory; the decay of the next update takes that time into account.
 *
 * @param clock the unit of time
 * @param every how much time passes between updates, in the clock's unit, at least 1: an update
 *     takes place as soon as that much has passed since the one before
 * @param microSteps how many calls of {@code update} make one optimiser step, at least 1; above 1
 *     where gradients are accumulated and {@code update} is called for each micro-batch. The
 *     average is updated on the last of them alone; in the clock {@link Clock#STEPS} the others
 *     take no time
 */
public record Timing(Clock clock, long every, int microSteps) {

  /** An update for each optimiser step, one call each. */
  public static final Timing EVERY_STEP = new Timing(Clock.STEPS, 1, 1);

  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException if one is below 1
   */
  public Timing {
    requireNonNull(clock, "clock");
    checkArgument(every >= 1, "every must be at least 1, but was %s", every);
    checkArgument(microSteps >= 1, "microSteps must be at least 1, but was %s", microSteps);
  }

  /** Returns this timing with another unit of time. */
  public Timing withClock(Clock newClock) {
    return new Timing(newClock, every, microSteps);
  }

  /** Returns this timing with another interval, in the clock's unit. */
  public Timing withEvery(long newEvery) {
    return new Timing(clock, newEvery, microSteps);
  }

  /** Returns this timing with another number of calls for each optimiser step. */
  public Timing withMicroSteps(int newMicroSteps) {
    return new Timing(clock, every, newMicroSteps);
  }
}
