package io.github.ema4j.schedule;

import static java.util.Objects.requireNonNull;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.internal.Checks;

/**
 * Copies the model (decay 0) until a time has passed, and follows another schedule from then on.
 * For that schedule time begins there: it sees {@code time - delay}, and an update that began
 * before the start counts only the part after it. The copy that the average starts from is that of
 * the last update within the delay.
 *
 * @param schedule what is followed after the delay
 * @param delay how long updates copy, in the clock's unit, not negative
 */
public record DelayedStart(DecaySchedule schedule, long delay) implements DecaySchedule {

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if the delay is negative
   */
  public DelayedStart {
    requireNonNull(schedule, "schedule");
    Checks.notNegative("delay", delay);
  }

  @Override
  public double decay(long time, long elapsed) {
    long since = time - delay;
    return since <= 0 ? 0 : schedule.decay(since, Math.min(elapsed, since));
  }

  @Override
  public boolean isZeroDebiased() {
    return schedule.isZeroDebiased();
  }
}
