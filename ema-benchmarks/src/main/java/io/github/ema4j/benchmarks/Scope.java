package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableList;

/** How much is measured. */
enum Scope {
  /** What the documents show. */
  FULL(30, 300),

  /** Whether everything runs, and nothing else. */
  QUICK(2, 0);

  private final int rounds;
  private final double warmUpMillis;

  Scope(int rounds, double warmUpMillis) {
    this.rounds = rounds;
    this.warmUpMillis = warmUpMillis;
  }

  int rounds() {
    return rounds;
  }

  /** Returns how long each contender runs before it is measured. */
  double warmUpMillis() {
    return warmUpMillis;
  }

  /** Returns the models whose updates are measured; of one, only the beginning, to be quick. */
  ImmutableList<ModelShape> shapes() {
    return isQuick() ? ImmutableList.of(ModelShape.resNet50().shortened()) : ModelShape.all();
  }

  boolean isQuick() {
    return this == QUICK;
  }
}
