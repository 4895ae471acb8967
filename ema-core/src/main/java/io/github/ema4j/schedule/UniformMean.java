package io.github.ema4j.schedule;

import io.github.ema4j.DecaySchedule;

/**
 * Gives all models the same weight: {@code 1 - elapsed / time}, stochastic weight averaging
 * (Izmailov et al. 2018). The first update copies; after {@code k} updates that are equally far
 * apart, each of the {@code k} models weighs {@code 1 / k}. A model that stands for more time
 * weighs more in proportion.
 */
public record UniformMean() implements DecaySchedule {

  @Override
  public double decay(long time, long elapsed) {
    return (time - elapsed) / (double) time;
  }
}
