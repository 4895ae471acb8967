package io.github.ema4j;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.schedule.ZeroDebias;

/**
 * Turns calls of {@code update} into time, and time into updates and their decays. Stateless: all
 * that it knows of the past is in {@link Progress}.
 *
 * @param timing when to update
 * @param schedule the decay of each update
 */
record UpdateClock(Timing timing, DecaySchedule schedule) {

  /** Returns the progress after a call that has not updated the average yet. */
  Progress called(Progress before, long elapsed) {
    int calls = before.microSteps() + 1;
    boolean stepDone = calls >= timing.microSteps();
    boolean timePasses = stepDone || timing.clock() == Clock.SAMPLES;
    return new Progress(
        before.updates(),
        before.time(),
        timePasses ? Math.addExact(before.pending(), elapsed) : before.pending(),
        stepDone ? 0 : calls,
        before.skipped(),
        before.decay(),
        before.startWeight(),
        before.logDecayProduct());
  }

  /** Tells whether the average is to be updated now. */
  boolean isDue(Progress called) {
    return called.microSteps() == 0 && called.pending() >= timing.every();
  }

  /**
   * Returns the progress after the update that is due.
   *
   * @throws IllegalStateException if the schedule gives a decay that is not in [0, 1]
   */
  Progress updated(Progress called) {
    long time = Math.addExact(called.time(), called.pending());
    double decay = schedule.decay(time, called.pending());
    checkState(
        decay >= 0 && decay <= 1,
        "the schedule %s gave decay %s at time %s, which is not in [0, 1]",
        schedule,
        decay,
        time);
    double used =
        schedule.isZeroDebiased()
            ? ZeroDebias.debiasedDecay(decay, called.logDecayProduct())
            : decay;
    return new Progress(
        called.updates() + 1,
        time,
        0,
        0,
        called.skipped(),
        used,
        called.startWeight() * used,
        called.logDecayProduct() + StrictMath.log(decay));
  }
}
