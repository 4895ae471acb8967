package io.github.ema4j;

import static java.util.Objects.requireNonNull;

/**
 * How the entries of average and model pair, and how fast the average decays.
 *
 * @param pairing how entries pair
 * @param schedule the decay of each update
 */
public record EmaStrategy(Pairing pairing, DecaySchedule schedule) {

  /** The ways in which entries pair. */
  public enum Pairing {
    /**
     * By name, in whatever order. The wrapper prefixes {@code module.} and {@code _orig_mod.} are
     * left out of account where all names of one side have them. A name that only one side has is
     * an error.
     */
    NAME_MATCHED,
    /**
     * By position, whatever the names. Count, shapes and types must agree: never a silent zip of
     * lists that differ.
     */
    ORDERED
  }

  /** Checks that both parts are there. */
  public EmaStrategy {
    requireNonNull(pairing, "pairing");
    requireNonNull(schedule, "schedule");
  }

  /**
   * Returns the strategy that pairs by name, as timm's ModelEma.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  public static EmaStrategy nameMatched(double decayPerStep) {
    return new EmaStrategy(Pairing.NAME_MATCHED, DecaySchedule.constant(decayPerStep));
  }

  /**
   * Returns the strategy that pairs by position, as timm's ModelEmaV2 and V3; made for scripted
   * models, whose names need not be the model's.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  public static EmaStrategy ordered(double decayPerStep) {
    return new EmaStrategy(Pairing.ORDERED, DecaySchedule.constant(decayPerStep));
  }

  /** Returns this strategy with another schedule in place of its decay. */
  public EmaStrategy scheduled(DecaySchedule newSchedule) {
    return new EmaStrategy(pairing, newSchedule);
  }
}
