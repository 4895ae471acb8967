package io.github.ema4j;

import io.github.ema4j.schedule.ClampedDecay;
import io.github.ema4j.schedule.ConstantDecay;
import io.github.ema4j.schedule.CosineDecay;
import io.github.ema4j.schedule.DelayedStart;
import io.github.ema4j.schedule.Edm2Ramp;
import io.github.ema4j.schedule.ExponentialRamp;
import io.github.ema4j.schedule.HalfLife;
import io.github.ema4j.schedule.InversePowerWarmup;
import io.github.ema4j.schedule.LinearDecay;
import io.github.ema4j.schedule.MomentumAnnealing;
import io.github.ema4j.schedule.NumUpdatesWarmup;
import io.github.ema4j.schedule.PerStepSchedule;
import io.github.ema4j.schedule.PiecewiseDecay;
import io.github.ema4j.schedule.ScaledDecay;
import io.github.ema4j.schedule.UniformMean;
import io.github.ema4j.schedule.ZeroDebias;
import java.util.Map;
import java.util.TreeMap;

/**
 * Says how much of the average an update keeps. Implementations are stateless and thread-safe: the
 * same arguments give the same decay, so that a resumed run continues as if it had not stopped.
 *
 * <p>A decay that is given for one step stands for one unit of the clock's time, and {@link
 * PerStepSchedule} raises it to the power of what elapsed. Write your own on that interface unless
 * the elapsed time enters in another way.
 */
@FunctionalInterface
public interface DecaySchedule {

  /**
   * Returns the decay of an update.
   *
   * @param time where this update ends, in the clock's unit (optimiser steps unless the user counts
   *     otherwise); the first update of one step has time 1
   * @param elapsed how much of that time passed since the update before, at least 1 and at most
   *     {@code time}
   * @return the factor of the average so far, in [0, 1]
   */
  double decay(long time, long elapsed);

  /**
   * Says whether the average takes the weight of its starting point out, as {@link ZeroDebias}
   * tells.
   */
  default boolean isZeroDebiased() {
    return false;
  }

  /**
   * Returns this schedule begun later: updates copy until {@code delay} has passed, which is where
   * this schedule's time begins; this schedule itself for a delay of 0.
   *
   * @param delay how long updates copy, in the clock's unit
   * @throws IllegalArgumentException if the delay is negative
   */
  default DecaySchedule delayedBy(long delay) {
    return delay == 0 ? this : new DelayedStart(this, delay);
  }

  /**
   * Returns this schedule within bounds, which are those of one unit of time: {@code
   * minimum^elapsed} to {@code maximum^elapsed}; this schedule itself for 0 and 1.
   *
   * @throws IllegalArgumentException if a bound is not in [0, 1] or the minimum is above the
   *     maximum
   */
  default DecaySchedule clampedTo(double minimum, double maximum) {
    return minimum == 0 && maximum == 1 ? this : new ClampedDecay(this, minimum, maximum);
  }

  /**
   * Returns this schedule for a batch that is {@code kappa} times as large: {@code d^kappa}, the
   * EMA scaling rule (Busbridge et al. 2023); this schedule itself for a kappa of 1.
   *
   * @throws IllegalArgumentException if kappa is not above 0 and finite
   */
  default DecaySchedule scaledBy(double kappa) {
    return kappa == 1 ? this : new ScaledDecay(this, kappa);
  }

  /**
   * Returns this schedule for an average without its starting point, as TensorFlow's and optax's
   * debiasing give it. The first update then copies.
   */
  default ZeroDebias zeroDebiased() {
    return new ZeroDebias(this);
  }

  /**
   * Returns the schedule that always keeps {@code decayPerStep}: {@code d^elapsed}.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  static ConstantDecay constant(double decayPerStep) {
    return new ConstantDecay(decayPerStep);
  }

  /**
   * Returns timm's inverse-power warm-up towards {@code decayPerStep} with its defaults (gamma 1,
   * power 2/3, no least decay, from the start), from which others are made with {@link
   * InversePowerWarmup#withPower} and its siblings.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  static InversePowerWarmup inversePowerWarmup(double decayPerStep) {
    return new InversePowerWarmup(decayPerStep, 1, 2.0 / 3, 0, 0);
  }

  /**
   * Returns TensorFlow's warm-up by the number of updates: {@code min(d, (1 + n) / (10 + n))}.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  static NumUpdatesWarmup numUpdatesWarmup(double decayPerStep) {
    return new NumUpdatesWarmup(decayPerStep, 10);
  }

  /**
   * Returns Ultralytics' ramp: {@code d * (1 - e^(-n / 2000))}.
   *
   * @throws IllegalArgumentException if the decay is not in [0, 1]
   */
  static ExponentialRamp exponentialRamp(double decayPerStep) {
    return new ExponentialRamp(decayPerStep, 2000);
  }

  /**
   * Returns MMEngine's annealing of the momentum, which is one minus the decay: {@code 1 - max(m,
   * 100 / (99 + n))}.
   *
   * @throws IllegalArgumentException if the momentum is not in [0, 1]
   */
  static MomentumAnnealing momentumAnnealing(double momentum) {
    return new MomentumAnnealing(momentum, 100);
  }

  /**
   * Returns the schedule that goes from one decay to another in a straight line.
   *
   * @param startDecay the decay of one step at time 0
   * @param decayPerStep the final decay
   * @param duration how long it takes to get there, in the clock's unit
   * @throws IllegalArgumentException if one is out of its range
   */
  static LinearDecay linear(double startDecay, double decayPerStep, long duration) {
    return new LinearDecay(startDecay, decayPerStep, duration);
  }

  /**
   * Returns the schedule that goes from one decay to another on half a cosine.
   *
   * @param startDecay the decay of one step at time 0
   * @param decayPerStep the final decay
   * @param duration how long it takes to get there, in the clock's unit
   * @throws IllegalArgumentException if one is out of its range
   */
  static CosineDecay cosine(double startDecay, double decayPerStep, long duration) {
    return new CosineDecay(startDecay, decayPerStep, duration);
  }

  /**
   * Returns the schedule that reads the decay of one step from a table.
   *
   * @param decayFromStep the decay from a step on; the first step is 1
   * @throws IllegalArgumentException if the table does not begin at step 1 or a decay is not in [0,
   *     1]
   */
  static PiecewiseDecay piecewise(Map<Long, Double> decayFromStep) {
    return new PiecewiseDecay(new TreeMap<>(decayFromStep));
  }

  /**
   * Returns the schedule that halves the past every {@code halfLife}, in the clock's unit; {@link
   * HalfLife#ofEpochs} takes epochs.
   *
   * @throws IllegalArgumentException if the half-life is not above 0 and finite
   */
  static HalfLife halfLife(double halfLife) {
    return new HalfLife(halfLife);
  }

  /**
   * Returns EDM2's traditional ramp: a half-life of 9 % of the time so far, at most {@code
   * halfLife}, in the clock's unit.
   *
   * @throws IllegalArgumentException if the half-life is not above 0 and finite
   */
  static Edm2Ramp edm2Ramp(double halfLife) {
    return new Edm2Ramp(halfLife, 0.09);
  }

  /** Returns the schedule under which all models weigh the same: stochastic weight averaging. */
  static UniformMean uniformMean() {
    return new UniformMean();
  }
}
