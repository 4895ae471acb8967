package io.github.ema4j.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.DecaySchedule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ScheduleWrappersTest {

  private static final DecaySchedule CONSTANT = DecaySchedule.constant(0.9);
  private static final DecaySchedule WARMUP = DecaySchedule.inversePowerWarmup(0.9999);

  @Test
  void aDelayCopiesUntilItHasPassedAndThenTimeBegins() {
    DecaySchedule delayed = WARMUP.delayedBy(100);
    for (long time = 1; time <= 100; time++) {
      assertThat(delayed.decay(time, 1)).isZero();
    }
    for (long time = 1; time < 50; time++) {
      assertThat(delayed.decay(100 + time, 1)).isEqualTo(WARMUP.decay(time, 1));
    }
    assertThat(delayed.decay(140, 40)).isEqualTo(WARMUP.decay(40, 40));
  }

  @Test
  void anUpdateThatBeganWithinTheDelayCountsOnlyWhatIsAfterIt() {
    assertThat(CONSTANT.delayedBy(100).decay(105, 20)).isEqualTo(CONSTANT.decay(5, 5));
    assertThat(DecaySchedule.uniformMean().delayedBy(100).decay(105, 105)).isZero();
    assertThat(CONSTANT.delayedBy(100).decay(100, 100)).isZero();
  }

  @Test
  void noDelayChangesNothing() {
    for (long time = 1; time < 50; time++) {
      assertThat(WARMUP.delayedBy(0).decay(time, 1)).isEqualTo(WARMUP.decay(time, 1));
    }
  }

  @ParameterizedTest(name = "elapsed {0}")
  @ValueSource(ints = {1, 2, 16})
  void boundsAreThoseOfOneStep(int elapsed) {
    DecaySchedule clamped = WARMUP.clampedTo(0.4, 0.6);
    assertThat(DecaySchedule.constant(0.1).clampedTo(0.4, 0.6).decay(99, elapsed))
        .isEqualTo(Math.pow(0.4, elapsed));
    assertThat(clamped.decay(1_000, elapsed)).isEqualTo(Math.pow(0.6, elapsed));
    for (long time = elapsed; time < 20; time++) {
      double step = Math.max(0.4, Math.min(0.6, WARMUP.decay(time, 1)));
      assertThat(clamped.decay(time, elapsed)).isEqualTo(Math.pow(step, elapsed));
    }
  }

  @Test
  void boundsOfOneUnitHoldForAnySchedule() {
    DecaySchedule clamped = DecaySchedule.uniformMean().clampedTo(0.2, 0.9);
    assertThat(clamped.decay(1, 1)).isEqualTo(0.2);
    assertThat(clamped.decay(4, 1)).isEqualTo(0.75);
    assertThat(clamped.decay(100, 1)).isEqualTo(0.9);
    assertThat(clamped.decay(100, 2)).isEqualTo(Math.pow(0.9, 2));
  }

  @Test
  void oneStepOfALargerBatchKeepsWhatItsStepsWouldHaveKept() {
    assertThat(CONSTANT.scaledBy(8).decay(1, 1)).isEqualTo(Math.pow(0.9, 8));
    assertThat(CONSTANT.scaledBy(8).decay(3, 3)).isCloseTo(Math.pow(0.9, 24), within(1e-15));
    assertThat(CONSTANT.scaledBy(0.5).decay(1, 1)).isCloseTo(Math.sqrt(0.9), within(1e-15));
    assertThat(WARMUP.scaledBy(2).decay(1, 1)).isZero();
    assertThat(DecaySchedule.constant(1).scaledBy(2).decay(1, 1)).isEqualTo(1);
  }

  @Test
  void theFlagOfZeroDebiasSurvivesOtherWrappers() {
    DecaySchedule debiased = WARMUP.zeroDebiased();
    assertThat(debiased.isZeroDebiased()).isTrue();
    assertThat(debiased.delayedBy(1).isZeroDebiased()).isTrue();
    assertThat(debiased.clampedTo(0, 1).isZeroDebiased()).isTrue();
    assertThat(debiased.scaledBy(2).isZeroDebiased()).isTrue();
    assertThat(WARMUP.isZeroDebiased()).isFalse();
    assertThat(WARMUP.delayedBy(1).clampedTo(0, 1).scaledBy(2).isZeroDebiased()).isFalse();
    assertThat(debiased.decay(7, 3)).isEqualTo(WARMUP.decay(7, 3));
  }

  @ParameterizedTest(name = "{0}: {1} updates")
  @CsvSource({".99, 69.0", ".999, 692.8", ".9998, 3465.4", ".9999, 6931.1"})
  void decayAndHalfLifeConvertIntoOneAnother(double decay, double halfLife) {
    assertThat(Decays.halfLife(decay)).isCloseTo(halfLife, within(0.05));
    assertThat(Decays.fromHalfLife(Decays.halfLife(decay))).isCloseTo(decay, within(1e-15));
    assertThat(DecaySchedule.halfLife(Decays.halfLife(decay)).decay(1, 1))
        .isCloseTo(decay, within(1e-15));
  }

  @ParameterizedTest(name = "window {0}: {1}")
  @CsvSource({"1, 0", "3, .5", "19, .9", "199, .99", "19999, .9999"})
  void decayAndWindowConvertIntoOneAnother(double window, double decay) {
    assertThat(Decays.fromWindow(window)).isCloseTo(decay, within(1e-15));
    assertThat(Decays.window(decay)).isCloseTo(window, within(1e-9 * window));
  }

  @Test
  void theEndsConvertToo() {
    assertThat(Decays.halfLife(0)).isZero();
    assertThat(Decays.halfLife(1)).isEqualTo(Double.POSITIVE_INFINITY);
    assertThat(Decays.window(1)).isEqualTo(Double.POSITIVE_INFINITY);
    assertThat(Decays.scaled(0, 3)).isZero();
    assertThat(Decays.scaled(0.9, 2)).isEqualTo(Math.pow(0.9, 2));
  }
}
