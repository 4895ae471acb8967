package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class UpdateClockTest {
  private static final DecaySchedule HALF = DecaySchedule.constant(0.5);

  @Test
  void everyCallIsAnUpdateOfOneStepByDefault() {
    UpdateClock clock = new UpdateClock(Timing.EVERY_STEP, HALF);
    assertThat(run(clock, 3, 1))
        .containsExactly(
            new Progress(1, 1, 0, 0, 0, 0.5, 0.5, Math.log(0.5)),
            new Progress(2, 2, 0, 0, 0, 0.5, 0.25, Math.log(0.25)),
            new Progress(3, 3, 0, 0, 0, 0.5, 0.125, Math.log(0.125)));
  }

  @Test
  void callsBetweenUpdatesAddToTheTimeOfTheNext() {
    UpdateClock clock = new UpdateClock(Timing.EVERY_STEP.withEvery(3), HALF);
    assertThat(run(clock, 6, 1))
        .containsExactly(
            new Progress(0, 0, 1, 0, 0, Double.NaN, 1, 0),
            new Progress(0, 0, 2, 0, 0, Double.NaN, 1, 0),
            new Progress(1, 3, 0, 0, 0, 0.125, 0.125, Math.log(0.125)),
            new Progress(1, 3, 1, 0, 0, 0.125, 0.125, Math.log(0.125)),
            new Progress(1, 3, 2, 0, 0, 0.125, 0.125, Math.log(0.125)),
            new Progress(2, 6, 0, 0, 0, 0.125, 0.015625, Math.log(0.015625)));
  }

  @Test
  void microStepsTakeNoTimeInSteps() {
    UpdateClock clock = new UpdateClock(Timing.EVERY_STEP.withMicroSteps(2).withEvery(2), HALF);
    assertThat(run(clock, 4, 1))
        .containsExactly(
            new Progress(0, 0, 0, 1, 0, Double.NaN, 1, 0),
            new Progress(0, 0, 1, 0, 0, Double.NaN, 1, 0),
            new Progress(0, 0, 1, 1, 0, Double.NaN, 1, 0),
            new Progress(1, 2, 0, 0, 0, 0.25, 0.25, Math.log(0.25)));
  }

  @Test
  void microStepsAddTheirSamples() {
    Timing timing = Timing.EVERY_STEP.withClock(Clock.SAMPLES).withMicroSteps(2).withEvery(30);
    List<Long> times = new ArrayList<>();
    DecaySchedule noting =
        (time, elapsed) -> {
          times.add(time);
          times.add(elapsed);
          return 0.5;
        };
    List<Progress> calls = run(new UpdateClock(timing, noting), 6, 8);
    // 16 samples after two calls are too few; 32 after four are enough.
    assertThat(calls.get(0)).isEqualTo(new Progress(0, 0, 8, 1, 0, Double.NaN, 1, 0));
    assertThat(calls.get(1)).isEqualTo(new Progress(0, 0, 16, 0, 0, Double.NaN, 1, 0));
    assertThat(calls.get(3)).isEqualTo(new Progress(1, 32, 0, 0, 0, 0.5, 0.5, Math.log(0.5)));
    assertThat(calls.get(5)).isEqualTo(new Progress(1, 32, 16, 0, 0, 0.5, 0.5, Math.log(0.5)));
    assertThat(times).containsExactly(32L, 32L);
  }

  @Test
  void anUpdateIsNotDueInTheMiddleOfAStepHoweverMuchTimeHasPassed() {
    Timing timing = Timing.EVERY_STEP.withClock(Clock.SAMPLES).withMicroSteps(2);
    assertThat(run(new UpdateClock(timing, HALF), 1, 1000).get(0).updates()).isZero();
  }

  @Test
  void timeThatOverflowsIsAnError() {
    UpdateClock clock = new UpdateClock(Timing.EVERY_STEP.withEvery(Long.MAX_VALUE), HALF);
    MovingProgress progress = new MovingProgress(Progress.START);
    clock.call(progress, Long.MAX_VALUE - 1);
    assertThatThrownBy(() -> clock.call(progress, 2)).isInstanceOf(ArithmeticException.class);
  }

  @Test
  void aDecayOutOfItsRangeNamesScheduleValueAndTime() {
    UpdateClock clock = new UpdateClock(Timing.EVERY_STEP, new TwoAlways());
    MovingProgress progress = new MovingProgress(Progress.START);
    clock.call(progress, 7);
    assertThatIllegalStateException()
        .isThrownBy(() -> clock.update(progress))
        .withMessage("the schedule TwoAlways[] gave decay 2.0 at time 7, which is not in [0, 1]");
  }

  private record TwoAlways() implements DecaySchedule {
    @Override
    public double decay(long time, long elapsed) {
      return 2;
    }
  }

  @Test
  void timingsBelowOneAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Timing.EVERY_STEP.withEvery(0))
        .withMessage("every must be at least 1, but was 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Timing.EVERY_STEP.withMicroSteps(-1))
        .withMessage("microSteps must be at least 1, but was -1");
  }

  private static List<Progress> run(UpdateClock clock, int calls, long elapsed) {
    List<Progress> seen = new ArrayList<>();
    MovingProgress progress = new MovingProgress(Progress.START);
    for (int i = 0; i < calls; i++) {
      clock.call(progress, elapsed);
      if (clock.isDue(progress)) {
        clock.update(progress);
      }
      seen.add(progress.now());
    }
    return seen;
  }

  @Test
  void zeroDebiasTakesTheStartOutFromTheFirstUpdateOn() {
    UpdateClock clock =
        new UpdateClock(Timing.EVERY_STEP, DecaySchedule.constant(0.9).zeroDebiased());
    List<Progress> calls = run(clock, 50, 1);
    assertThat(calls.get(0).decay()).isZero();
    assertThat(calls.get(0).startWeight()).isZero();
    // Started from 0, an average of ones after n updates is 1 - .9^n; divided by that, it is 1.
    double zeroStarted = 0;
    double debiased = 7;
    for (int n = 1; n <= calls.size(); n++) {
      double model = n % 3;
      zeroStarted = 0.9 * zeroStarted + 0.1 * model;
      double decay = calls.get(n - 1).decay();
      debiased = decay * debiased + (1 - decay) * model;
      assertThat(debiased).isCloseTo(zeroStarted / (1 - Math.pow(0.9, n)), within(1e-12));
    }
    assertThat(calls.get(49).logDecayProduct()).isCloseTo(50 * Math.log(0.9), within(1e-12));
  }
}
