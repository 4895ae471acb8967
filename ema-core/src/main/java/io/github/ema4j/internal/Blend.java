package io.github.ema4j.internal;

import io.github.ema4j.AveragingRule;

/**
 * By how much averages move towards their model, each by its own, and in which arithmetic. Kept and
 * set anew for each update.
 */
public final class Blend {
  private final AveragingRule rule;
  private final boolean flush;
  private final double[] decays;
  private final double[] weights;

  private Blend(AveragingRule rule, boolean flush, int averages) {
    this.rule = rule;
    this.flush = flush;
    decays = new double[averages];
    weights = new double[averages];
  }

  /**
   * Makes one for some averages, whose decays are to be set.
   *
   * @param flush whether results below the least normal number become zeros of the same sign
   */
  public static Blend ofAverages(AveragingRule rule, boolean flush, int averages) {
    return new Blend(rule, flush, averages);
  }

  /** Makes one with a decay for each average. */
  static Blend of(AveragingRule rule, double... decays) {
    return of(rule, false, decays);
  }

  static Blend of(AveragingRule rule, boolean flush, double... decays) {
    Blend blend = new Blend(rule, flush, decays.length);
    for (int k = 0; k < decays.length; k++) {
      blend.set(k, decays[k]);
    }
    return blend;
  }

  /** Makes one that moves all averages by the same weight. */
  static Blend towards(double weight, int averages) {
    Blend blend = new Blend(AveragingRule.LERP, false, averages);
    for (int k = 0; k < averages; k++) {
      blend.decays[k] = 1.0 - weight;
      blend.weights[k] = weight;
    }
    return blend;
  }

  /** Sets the decay of one average. */
  public void set(int average, double decay) {
    decays[average] = decay;
    weights[average] = 1.0 - decay;
  }

  AveragingRule rule() {
    return rule;
  }

  /** Tells whether results below the least normal number become zeros of the same sign. */
  boolean flushes() {
    return flush;
  }

  /** Returns how many averages there are. */
  public int averages() {
    return decays.length;
  }

  /** Returns the factor of an average. */
  public double decay(int average) {
    return decays[average];
  }

  /** Returns the factor of the model. */
  double weight(int average) {
    return weights[average];
  }
}
