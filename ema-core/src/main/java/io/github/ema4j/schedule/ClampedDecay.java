package io.github.ema4j.schedule;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.internal.Checks;

/**
 * Keeps another schedule's decay within bounds. They are those of one unit of time, as all decays
 * that users write: an update over {@code elapsed} units stays between {@code minimum^elapsed} and
 * {@code maximum^elapsed}. For a {@link PerStepSchedule} that is the same as clamping the decay of
 * each step.
 *
 * @param schedule whose decay is clamped
 * @param minimum the least decay of one unit of time, in [0, 1]
 * @param maximum the greatest decay of one unit of time, in [0, 1]
 */
public record ClampedDecay(DecaySchedule schedule, double minimum, double maximum)
    implements DecaySchedule {

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if a bound is not in [0, 1] or the minimum is above the
   *     maximum
   */
  public ClampedDecay {
    requireNonNull(schedule, "schedule");
    Checks.decay("minimum", minimum);
    Checks.decay("maximum", maximum);
    checkArgument(
        minimum <= maximum,
        "minimum must not be above maximum, but they were %s and %s",
        minimum,
        maximum);
  }

  @Override
  public double decay(long time, long elapsed) {
    double inner = schedule.decay(time, elapsed);
    double least = StrictMath.pow(minimum, (double) elapsed);
    return Math.max(Math.min(inner, StrictMath.pow(maximum, (double) elapsed)), least);
  }

  @Override
  public boolean isZeroDebiased() {
    return schedule.isZeroDebiased();
  }
}
