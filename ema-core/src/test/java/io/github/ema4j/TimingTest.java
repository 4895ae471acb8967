package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;

class TimingTest {
  private final StateDict<ArrayTensor> model = model("w", 0);

  @Test
  void callsBetweenUpdatesTouchNoMemory() {
    try (var average = every(2).build(model)) {
      floats(model)[0] = 1;
      average.update(model("other", 1, 2, 3)); // nobody looks at the model
      assertThat(floats(average.state())).containsExactly(0);
      average.update(model);
      assertThat(floats(average.state())).containsExactly(0.75f);
    }
  }

  @Test
  void anAverageOfEverySecondStepForgetsAsFastAsOneOfEveryStep() {
    StateDict<ArrayTensor> constant = model("w", 1);
    try (var seldom = every(2).build(model);
        var always = every(1).build(model)) {
      for (int i = 0; i < 10; i++) {
        seldom.update(constant);
        always.update(constant);
      }
      assertThat(floats(seldom.state())).isEqualTo(floats(always.state()));
      assertThat(seldom.progress().startWeight()).isEqualTo(always.progress().startWeight());
    }
  }

  @Test
  void resumingBetweenUpdatesContinuesExactly() {
    float[] weights = floats(model);
    try (var straight = every(3).build(model);
        var resumed = every(3).build(model)) {
      for (int i = 1; i <= 4; i++) {
        weights[0] = i;
        straight.update(model);
      }
      resumed.load(straight.state(), straight.progress());
      for (int i = 5; i <= 9; i++) {
        weights[0] = i;
        straight.update(model);
        resumed.update(model);
        assertThat(resumed.progress()).isEqualTo(straight.progress());
        assertThat(floats(resumed.state())).isEqualTo(floats(straight.state()));
      }
    }
  }

  @Test
  void microStepsAreAveragedOnce() {
    Timing timing = Timing.EVERY_STEP.withMicroSteps(4);
    try (var average = halving().timing(timing).build(model)) {
      floats(model)[0] = 1;
      for (int i = 0; i < 4; i++) {
        average.update(model);
      }
      assertThat(floats(average.state())).containsExactly(0.5f);
      assertThat(average.progress().time()).isEqualTo(1);
    }
  }

  @Test
  void aRuleIsAppliedWhenItIsTime() {
    try (var average = every(2).build(model)) {
      double[] decay = {0};
      UpdateRule<ArrayTensor> rule = (e, m, d) -> decay[0] += d;
      average.update(model, ArrayTensor.class, rule);
      assertThat(decay).containsExactly(0);
      average.update(model, ArrayTensor.class, rule);
      assertThat(decay).containsExactly(0.25);
    }
  }

  @Test
  void aClockOfSamplesWantsToBeToldHowMany() {
    Timing timing = Timing.EVERY_STEP.withClock(Clock.SAMPLES);
    try (var average = halving().timing(timing).build(model)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> average.update(model))
          .withMessage("the clock counts samples; call update(model, samples)");
      assertThatIllegalStateException()
          .isThrownBy(() -> average.update(model, ArrayTensor.class, (e, m, d) -> {}))
          .withMessage("the clock counts samples, but an update with a rule takes one step");
      average.update(model, 32);
      assertThat(average.progress().time()).isEqualTo(32);
    }
  }

  private static ModelEma.Builder<StateDict<ArrayTensor>> halving() {
    return averaging().strategy(EmaStrategy.nameMatched(0.5));
  }

  private static ModelEma.Builder<StateDict<ArrayTensor>> every(long steps) {
    return halving().timing(Timing.EVERY_STEP.withEvery(steps));
  }
}
