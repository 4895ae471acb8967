package io.github.ema4j.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.DecaySchedule;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for any settings. */
class SchedulePropertiesTest {

  private static final int SETTINGS = 200;

  /** Schedules that rise, with random settings. */
  private static List<DecaySchedule> rising(Random random) {
    double decay = random.nextDouble();
    double low = decay * random.nextDouble();
    double shape = Math.exp(10 * random.nextDouble() - 3);
    long duration = 1L + random.nextInt(500);
    return List.of(
        DecaySchedule.constant(decay),
        new InversePowerWarmup(decay, shape, 3 * random.nextDouble() + 1e-3, low, duration / 9),
        new NumUpdatesWarmup(decay, 1 + shape),
        new ExponentialRamp(decay, shape),
        new MomentumAnnealing(decay, shape),
        DecaySchedule.linear(low, decay, duration),
        DecaySchedule.cosine(low, decay, duration),
        DecaySchedule.halfLife(shape),
        new Edm2Ramp(shape, 2 * random.nextDouble() + 1e-3),
        DecaySchedule.uniformMean());
  }

  private static List<DecaySchedule> falling(Random random) {
    double decay = random.nextDouble();
    double low = decay * random.nextDouble();
    long duration = 1L + random.nextInt(500);
    TreeMap<Long, Double> table = new TreeMap<>();
    table.put(1L, decay);
    table.put(1 + duration, low);
    return List.of(
        DecaySchedule.linear(decay, low, duration),
        DecaySchedule.cosine(decay, low, duration),
        DecaySchedule.piecewise(table));
  }

  private static List<DecaySchedule> wrapped(DecaySchedule schedule, Random random) {
    double low = random.nextDouble() / 2;
    return List.of(
        schedule,
        schedule.delayedBy(random.nextInt(300)),
        schedule.clampedTo(low, low + random.nextDouble() / 2),
        schedule.scaledBy(Math.exp(4 * random.nextDouble() - 2)),
        schedule.zeroDebiased());
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {11, 12, 13})
  void risingOnesRiseAndFallingOnesFallAtEveryElapsedTime(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < SETTINGS; i++) {
      int elapsed = 1 + random.nextInt(9);
      for (DecaySchedule schedule : rising(random)) {
        for (long time = 1L + elapsed; time < 700; time += 7) {
          assertThat(schedule.decay(time, elapsed))
              .as("seed %d: %s at %d", seed, schedule, time)
              .isGreaterThanOrEqualTo(schedule.decay(time - 1, elapsed) - 1e-15);
        }
      }
      for (DecaySchedule schedule : falling(random)) {
        for (long time = 1L + elapsed; time < 700; time += 7) {
          assertThat(schedule.decay(time, elapsed))
              .as("seed %d: %s at %d", seed, schedule, time)
              .isLessThanOrEqualTo(schedule.decay(time - 1, elapsed) + 1e-15);
        }
      }
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {21, 22, 23})
  void decaysAreFromZeroToOneAtAnyTime(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < SETTINGS; i++) {
      for (DecaySchedule plain : rising(random)) {
        for (DecaySchedule schedule : wrapped(plain, random)) {
          assertDecays(seed, schedule, random);
        }
      }
      for (DecaySchedule plain : falling(random)) {
        for (DecaySchedule schedule : wrapped(plain, random)) {
          assertDecays(seed, schedule, random);
        }
      }
    }
  }

  private static void assertDecays(long seed, DecaySchedule schedule, Random random) {
    for (long magnitude = 1; magnitude > 0; magnitude *= 10) {
      long time = magnitude + random.nextInt(10);
      for (long elapsed : new long[] {1, Math.max(1, time / 3), time}) {
        double decay = schedule.decay(time, elapsed);
        assertThat(decay)
            .as("seed %d: %s at %d after %d", seed, schedule, time, elapsed)
            .isBetween(0.0, 1.0);
        assertThat(schedule.decay(time, elapsed)).isEqualTo(decay);
      }
    }
  }

  /** For these alone: the others' decay moves within the elapsed time. */
  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {31, 32, 33})
  void oneUpdateAfterALongTimeKeepsWhatUpdatesOfEveryUnitWouldKeep(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < SETTINGS; i++) {
      double decay = 0.5 + random.nextDouble() / 2;
      double halfLife = Math.exp(8 * random.nextDouble());
      long start = random.nextInt(1_000);
      long elapsed = 1L + random.nextInt(50);
      for (DecaySchedule schedule :
          List.of(
              DecaySchedule.constant(decay),
              DecaySchedule.halfLife(halfLife),
              DecaySchedule.uniformMean(),
              new Edm2Ramp(Math.min(halfLife, 0.09), 1),
              DecaySchedule.constant(decay).scaledBy(0.3),
              DecaySchedule.halfLife(halfLife).clampedTo(0.2, 0.8),
              DecaySchedule.uniformMean().delayedBy(start),
              DecaySchedule.linear(0, decay, 1 + start).delayedBy(start).clampedTo(decay, 1))) {
        double product = 1;
        for (long unit = 1; unit <= elapsed; unit++) {
          product *= schedule.decay(start + unit, 1);
        }
        assertThat(schedule.decay(start + elapsed, elapsed))
            .as("seed %d: %s from %d, %d units", seed, schedule, start, elapsed)
            .isCloseTo(product, within(1e-12));
      }
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {41, 42})
  void schedulesOfStepsArePowersOfOneStep(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < SETTINGS; i++) {
      long time = 100L + random.nextInt(1_000);
      int elapsed = 1 + random.nextInt(100);
      for (DecaySchedule schedule : rising(random)) {
        if (schedule instanceof PerStepSchedule perStep) {
          assertThat(schedule.decay(time, 1)).isEqualTo(perStep.decayOfStep(time));
          double product = 1;
          for (int step = 0; step < elapsed; step++) {
            product *= perStep.decayOfStep(time);
          }
          assertThat(schedule.decay(time, elapsed)).isCloseTo(product, within(1e-12));
        }
      }
    }
  }
}
