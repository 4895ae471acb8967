package io.github.ema4j;

import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import com.google.common.collect.ImmutableSortedMap;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.series.Alpha;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EmaAdvisorTest {
  private final float[] weights = {0};
  private final StateDict<ArrayTensor> model = dict().parameter("w", tensor(weights)).build();

  private EmaAdvisor.Builder<StateDict<ArrayTensor>> advisor() {
    return EmaAdvisor.builder(ArrayBackend.adapter());
  }

  /** Returns a score that is the higher the nearer the weight is to a target. */
  private ToDoubleFunction<StateDict<ArrayTensor>> nearTo(double target) {
    return evaluated -> -Math.pow(weights[0] - target, 2);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.97, 0.99})
  void ofAWanderingTargetUnderNoiseTheBestDecayIsKnown(double decay) {
    double alpha = 1 - decay;
    double step = Math.sqrt(alpha * alpha / (1 - alpha)); // so that Kalman's gain is alpha
    assertThat(Alpha.ofKalman(step * step, 1)).isCloseTo(alpha, within(1e-12));
    Random random = new Random(71);
    double target = 0;
    try (var advisor = advisor().build(model)) {
      int updates = (int) (100 / alpha);
      for (int i = 0; i < updates; i++) {
        target += step * random.nextGaussian();
        weights[0] = (float) (target + random.nextGaussian());
        advisor.update(model);
        if (i % 5 == 0) {
          advisor.evaluate(model, nearTo(target));
        }
      }
      Advice advice = advisor.advice();
      assertThat(advice.decay()).isEqualTo(decay);
      assertThat(advice.updates()).isEqualTo(updates);
      assertThat(advice.scores()).hasSize(6);
      assertThat(advice.rawScore()).isCloseTo(-1, within(0.1)); // the noise
      assertThat(advice.scores().get(decay)).isCloseTo(-alpha, within(0.5 * alpha));
    }
  }

  @Test
  void theLastThirdOfTheEvaluationsDecides() {
    try (var advisor = advisor().decays(0, 0.5).build(model)) {
      weights[0] = 1;
      advisor.update(model);
      weights[0] = 2;
      advisor.update(model); // the averages: 2, and (1 + 2 * 2) / 3
      advisor.evaluate(model, nearTo(1)); // the slow one is better by far
      advisor.evaluate(model, nearTo(1));
      advisor.evaluate(model, nearTo(2)); // the fast one
      assertThat(advisor.advice().decay()).isZero();
      assertThat(advisor.advice().scores()).containsEntry(0.0, 0.0);
      advisor.evaluate(model, nearTo(1)); // two of four count
      assertThat(advisor.advice().decay()).isEqualTo(0.5);
      assertThat(advisor.advice().rawScore()).isEqualTo(-0.5);
      assertThat(weights).as("the model's own").containsExactly(2);
    }
  }

  @Test
  void ofEqualOnesTheLowestIsAdvised() {
    try (var advisor = advisor().decays(0.99, 0.5, 0.9).build(model)) {
      advisor.evaluate(model, evaluated -> 1);
      assertThat(advisor.advice().decay()).isEqualTo(0.5);
      assertThat(advisor.advice().updates()).isZero();
    }
  }

  @Test
  void whatFollowsForLongerRunsAndLargerBatches() {
    Advice advice = new Advice(0.99, ImmutableSortedMap.of(0.9, 0.5, 0.99, 0.75), 0.25, 1_234);

    assertThat(advice.effectiveWindow()).isCloseTo(100, within(1e-10));
    assertThat(advice.decayForRun(2)).isCloseTo(Math.sqrt(0.99), within(1e-15));
    assertThat(advice.decayForRun(1)).isEqualTo(0.99);
    assertThat(advice.decayForBatch(2)).isCloseTo(0.9801, within(1e-15));
    assertThat(advice.text())
        .isEqualTo(
            """
            After 1,234 updates, on validation data:
              raw weights: 0.2500
              decay 0.9 (window 10): 0.5000
              decay 0.99 (window 100): 0.7500, best
            To expect best: 0.994987 in a run 2 times as long, 0.998995 in one 10 times as long;
            0.980100 with batches 2 times as large.
            """);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> advice.decayForRun(0))
        .withMessage("times must be above 0 and finite, but was 0.0");
    assertThatIllegalArgumentException().isThrownBy(() -> advice.decayForBatch(-1));
  }

  @Test
  void whatCannotBeAdvisedIsTold() {
    try (var advisor = advisor().build(model)) {
      assertThatIllegalStateException()
          .isThrownBy(advisor::advice)
          .withMessage("there is no advice without an evaluation; call evaluate first");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> advisor.evaluate(model, evaluated -> Double.NaN))
          .withMessage("the score of raw weights must be finite, but was NaN");
      weights[0] = 1;
      advisor.update(model);
      weights[0] = 2;
      assertThatIllegalArgumentException()
          .isThrownBy(() -> advisor.evaluate(model, evaluated -> 1 / (1.0 - weights[0])))
          .withMessage("the score of decay 0.9 must be finite, but was Infinity");
      assertThat(weights).containsExactly(2);
      assertThatIllegalStateException().as("nothing was kept").isThrownBy(advisor::advice);
    }
  }

  @Test
  void refusesDecaysThatAreNone() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> advisor().decays())
        .withMessage("an advisor needs decays to try");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> advisor().decays(0.5, -0.1))
        .withMessage("decay must be in [0, 1], but was -0.1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> advisor().decays(1))
        .withMessage("an average with decay 1 never moves; try one below it");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> advisor().decays(0.5, 0.9, 0.5))
        .withMessage("decay 0.5 is there twice");
  }

  @Test
  void theConfigurationIsThatOfTheAverages() {
    weights[0] = 1;
    try (var advisor =
        advisor()
            .config(EmaConfig.defaults().withTiming(new Timing(Clock.STEPS, 3, 1)))
            .build(model)) {
      for (int i = 0; i < 7; i++) {
        advisor.update(model);
      }
      advisor.evaluate(model, nearTo(1));
      assertThat(advisor.advice().updates()).isEqualTo(2);
    }
  }
}
