package io.github.ema4j;

import io.github.ema4j.schedule.ZeroDebias;

/**
 * Turns calls of {@code update} into time, and time into updates and their decays. Stateless: all
 * that it knows of the past is in the progress that it moves on.
 *
 * @param timing when to update
 * @param schedule the decay of each update
 */
record UpdateClock(Timing timing, DecaySchedule schedule) {

  /** Takes note of a call that has not updated the average yet. */
  void call(MovingProgress progress, long elapsed) {
    int calls = progress.microSteps + 1;
    boolean stepDone = calls >= timing.microSteps();
    if (stepDone || timing.clock() == Clock.SAMPLES) {
      progress.pending = Math.addExact(progress.pending, elapsed);
    }
    progress.microSteps = stepDone ? 0 : calls;
  }

  /** Tells whether the average is to be updated now. */
  boolean isDue(MovingProgress called) {
    return called.microSteps == 0 && called.pending >= timing.every();
  }

  /**
   * Moves on to after the update that is due.
   *
   * @throws IllegalStateException if the schedule gives a decay that is not in [0, 1]
   */
  void update(MovingProgress called) {
    long time = Math.addExact(called.time, called.pending);
    double decay = schedule.decay(time, called.pending);
    if (!(decay >= 0 && decay <= 1)) {
      throw new IllegalStateException(
          String.format(
              "the schedule %s gave decay %s at time %s, which is not in [0, 1]",
              schedule, decay, time));
    }
    double used =
        schedule.isZeroDebiased() ? ZeroDebias.debiasedDecay(decay, called.logDecayProduct) : decay;
    called.updates++;
    called.time = time;
    called.pending = 0;
    called.decay = used;
    called.startWeight *= used;
    called.logDecayProduct += StrictMath.log(decay);
  }
}
