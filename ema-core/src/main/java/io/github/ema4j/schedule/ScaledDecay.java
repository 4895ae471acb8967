package io.github.ema4j.schedule;

import static java.util.Objects.requireNonNull;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.internal.Checks;

/**
 * Raises another schedule's decay to a power: {@code d^kappa}, the EMA scaling rule (Busbridge et
 * al. 2023) for a batch that is {@code kappa} times as large. Its learning rate must follow the
 * optimiser's own rule. Only the decay changes: what a schedule says in steps (a delay, a warm-up)
 * still counts the steps that are taken. A clock that counts samples needs no scaling.
 *
 * @param schedule whose decay is scaled
 * @param kappa the new batch size divided by the one that the schedule was made for, above 0
 */
public record ScaledDecay(DecaySchedule schedule, double kappa) implements DecaySchedule {

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if kappa is not above 0 and finite
   */
  public ScaledDecay {
    requireNonNull(schedule, "schedule");
    Checks.positive("kappa", kappa);
  }

  @Override
  public double decay(long time, long elapsed) {
    return Decays.scaled(schedule.decay(time, elapsed), kappa);
  }

  @Override
  public boolean isZeroDebiased() {
    return schedule.isZeroDebiased();
  }
}
