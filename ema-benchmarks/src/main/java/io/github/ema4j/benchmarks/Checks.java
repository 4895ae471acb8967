package io.github.ema4j.benchmarks;

import io.github.ema4j.EmaConfig;
import io.github.ema4j.NonFiniteGuard;

/** What an update looks at before it writes. */
enum Checks {
  /** Nothing. */
  NONE(NonFiniteGuard.ACCEPT, false, ", unchecked"),
  /** Whether the model moves. */
  CANARY(NonFiniteGuard.ACCEPT, true, ""),
  /** Whether the model moves and is finite: the default. */
  ALL(NonFiniteGuard.FAIL, true, ", guard");

  private final NonFiniteGuard guard;
  private final boolean canary;
  private final String suffix;

  Checks(NonFiniteGuard guard, boolean canary, String suffix) {
    this.guard = guard;
    this.canary = canary;
    this.suffix = suffix;
  }

  EmaConfig config() {
    return EmaConfig.defaults().withGuard(guard).withCanary(canary);
  }

  /** Returns what the tables add to a contender's name. */
  String suffix() {
    return suffix;
  }
}
