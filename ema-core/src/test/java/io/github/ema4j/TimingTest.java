package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.schedule.PowerFunction;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

  /** Where the decay of one unit does not depend on the time within what elapsed. */
  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {71, 72, 73})
  void oneUpdateAfterALongTimeIsAsManyUpdatesOfAModelThatDoesNotMove(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 50; i++) {
      double decay = 0.5 + random.nextDouble() / 2;
      int before = 20 + random.nextInt(20);
      int elapsed = 1 + random.nextInt(40);
      for (DecaySchedule schedule :
          List.of(
              DecaySchedule.constant(decay),
              DecaySchedule.constant(decay).scaledBy(0.3).clampedTo(0.6, 0.99),
              DecaySchedule.inversePowerWarmup(0.1),
              DecaySchedule.linear(0, decay, 20),
              DecaySchedule.piecewise(Map.of(1L, 0.3, 20L, decay)),
              DecaySchedule.halfLife(1 + 10 * random.nextDouble()),
              DecaySchedule.edm2Ramp(1.5),
              DecaySchedule.uniformMean().delayedBy(10),
              PowerFunction.ofGamma(0))) {
        double[] weights = {0};
        StateDict<ArrayTensor> wide =
            Models.dict().parameter("w", ArrayTensor.of(weights, 1)).build();
        ModelEma.Builder<StateDict<ArrayTensor>> builder =
            averaging().strategy(EmaStrategy.nameMatched(0).scheduled(schedule)).canary(false);
        try (var one = builder.build(wide);
            var many = builder.build(wide)) {
          for (int step = 0; step < before; step++) {
            weights[0] = random.nextDouble();
            one.update(wide);
            many.update(wide);
          }
          one.update(wide, elapsed);
          for (int step = 0; step < elapsed; step++) {
            many.update(wide);
          }
          double[] after = {0};
          StateDict<ArrayTensor> read =
              Models.dict().parameter("w", ArrayTensor.of(after, 1)).build();
          many.copyTo(read);
          double expected = after[0];
          one.copyTo(read);
          assertThat(after[0])
              .as("seed %d: %s, %d after %d", seed, schedule, elapsed, before)
              .isCloseTo(expected, within(1e-13));
          assertThat(one.progress().time()).isEqualTo(many.progress().time());
        }
      }
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
