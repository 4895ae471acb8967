package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkElementIndex;

/** Checks of numbers that users give, with one wording for each. */
public final class Checks {

  private Checks() {}

  /** Checks that a number is in [0, 1]. */
  public static void decay(String name, double value) {
    checkArgument(value >= 0 && value <= 1, "%s must be in [0, 1], but was %s", name, value);
  }

  /** Checks that a number is above 0 and finite. */
  public static void positive(String name, double value) {
    checkArgument(
        value > 0 && value < Double.POSITIVE_INFINITY,
        "%s must be above 0 and finite, but was %s",
        name,
        value);
  }

  /** Checks that a number is 0 or above. */
  public static void notNegative(String name, long value) {
    checkArgument(value >= 0, "%s must not be negative, but was %s", name, value);
  }

  /** Checks that a number is at least 1 and finite. */
  public static void atLeastOne(String name, double value) {
    checkArgument(
        value >= 1 && value < Double.POSITIVE_INFINITY,
        "%s must be at least 1 and finite, but was %s",
        name,
        value);
  }

  /** Checks that a number is at least 1. */
  public static void atLeastOne(String name, long value) {
    checkArgument(value >= 1, "%s must be at least 1, but was %s", name, value);
  }

  /** Checks that there is a shard, and so many. */
  public static void shard(int index, int count) {
    checkArgument(count >= 1, "there must be at least 1 shard, but there are %s", count);
    checkElementIndex(index, count, "shard");
  }
}
