package io.github.ema4j.cli;

import io.github.ema4j.EmaConfig;
import io.github.ema4j.schedule.ZeroDebias;
import java.util.OptionalLong;

/** What an average that follows a configuration is made of, update by update. */
final class PastWeights {
  /** More updates than one may want to look at. */
  private static final int MOST_UPDATES = 10_000_000;

  /** Half of the past is as old as a half-life, whatever the powers round to. */
  private static final double ROUNDING = 1e-12;

  private final long every;
  private final double[] decays;

  private PastWeights(long every, double[] decays) {
    this.every = every;
    this.decays = decays;
  }

  /**
   * Follows a configuration.
   *
   * @param duration until what time, in the clock's unit
   * @throws IllegalArgumentException if that is before the first update, or after too many
   */
  static PastWeights of(EmaConfig config, long duration) {
    long every = config.timing().every();
    long updates = duration / every;
    if (updates < 1 || updates > MOST_UPDATES) {
      throw new IllegalArgumentException(
          String.format(
              "with an update every %s there are %s until %s; look at 1 to %s",
              every, updates, duration, MOST_UPDATES));
    }
    double[] decays = new double[(int) updates];
    double logProduct = 0;
    for (int i = 0; i < decays.length; i++) {
      double decay = config.strategy().schedule().decay((i + 1) * every, every);
      decays[i] =
          config.strategy().schedule().isZeroDebiased()
              ? ZeroDebias.debiasedDecay(decay, logProduct)
              : decay;
      logProduct += StrictMath.log(decay);
    }
    return new PastWeights(every, decays);
  }

  /** Returns how much time there is between updates. */
  long every() {
    return every;
  }

  /** Returns how many updates there are. */
  int updates() {
    return decays.length;
  }

  /** Returns the decay of an update, the first of which is 1. */
  double decay(int update) {
    return decays[update - 1];
  }

  /**
   * Returns how much of the average after some updates its starting point still is.
   *
   * @param updates how many
   */
  double start(int updates) {
    double product = 1;
    for (int i = 0; i < updates; i++) {
      product *= decays[i];
    }
    return product;
  }

  /**
   * Returns how long ago the models are, at most, that make up a share of the average after some
   * updates, in the clock's unit; empty if all of them make up less, and the start the rest.
   */
  OptionalLong age(int updates, double share) {
    double kept = 1;
    for (int i = updates - 1; i >= 0; i--) {
      kept *= decays[i];
      if (1 - kept >= share - ROUNDING) {
        return OptionalLong.of((updates - i) * every);
      }
    }
    return OptionalLong.empty();
  }

  /**
   * Returns how much of the final average the models of each of several parts of the time are: of
   * so many equal parts, or of each update where there are fewer.
   */
  double[] shares(int parts) {
    double[] shares = new double[Math.min(parts, decays.length)];
    double kept = 1;
    for (int i = decays.length - 1; i >= 0; i--) {
      shares[part(i, shares.length)] += (1 - decays[i]) * kept;
      kept *= decays[i];
    }
    return shares;
  }

  /** Returns the same as if every part had as many updates as the mean of them. */
  double[] evenShares(int parts) {
    double[] shares = shares(parts);
    int[] updates = new int[shares.length];
    for (int i = 0; i < decays.length; i++) {
      updates[part(i, shares.length)]++;
    }
    for (int i = 0; i < shares.length; i++) {
      shares[i] *= (double) decays.length / shares.length / updates[i];
    }
    return shares;
  }

  private int part(int update, int parts) {
    return (int) ((long) update * parts / decays.length);
  }
}
