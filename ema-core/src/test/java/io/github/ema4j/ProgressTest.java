package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.names;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProgressTest {

  @Test
  void nothingHasHappenedBeforeTheFirstUpdate() {
    try (var average = halving(model("w", 1))) {
      assertThat(average.progress()).isEqualTo(Progress.START);
      assertThat(average.progress().effectiveWindow()).isNaN();
      assertThat(average.swapped()).isFalse();
    }
  }

  @Test
  void updatesTimeAndTheWeightOfTheStartAreKept() {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = averaging().strategy(EmaStrategy.nameMatched(0.9)).build(model)) {
      average.update(model);
      average.update(model, 3);
      average.update(model);
      Progress progress = average.progress();
      assertThat(progress.updates()).isEqualTo(3);
      assertThat(progress.time()).isEqualTo(5);
      assertThat(progress.decay()).isEqualTo(0.9);
      assertThat(progress.startWeight()).isCloseTo(Math.pow(0.9, 5), within(1e-15));
      assertThat(progress.effectiveWindow()).isCloseTo(10, within(1e-12));
    }
  }

  @Test
  void theWeightOfTheStartIsTheShareThatItReallyHas() {
    double[] weights = {1};
    StateDict<ArrayTensor> model = dict().parameter("w", ArrayTensor.of(weights, 1)).build();
    EmaStrategy warmup =
        EmaStrategy.nameMatched(0)
            .scheduled(DecaySchedule.inversePowerWarmup(0.99).withMinDecay(0.1).withGamma(3));
    try (var average = averaging().strategy(warmup).build(model)) {
      average.update(model);
      average.set(model);
      weights[0] = 0;
      for (int i = 0; i < 50; i++) {
        average.update(model, 1 + i % 3);
      }
      double left = ((double[]) tensorOf(average).array())[0];
      assertThat(average.progress().startWeight()).isCloseTo(left, within(1e-12 * left));
    }
  }

  @Test
  void aDecayOfOneLooksBackForEver() {
    assertThat(new Progress(1, 1, 0, 0, 0, 1, 1, Math.log(1)).effectiveWindow()).isInfinite();
    assertThat(new Progress(1, 1, 0, 0, 0, 0, 0, Math.log(0)).effectiveWindow()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({
    "-1, 0, 0, 0, 0, 0.5, 1, 'updates must not be negative, but was -1'",
    "0, -2, 0, 0, 0, 0.5, 1, 'time must not be negative, but was -2'",
    "0, 0, -3, 0, 0, 0.5, 1, 'pending must not be negative, but was -3'",
    "0, 0, 0, -4, 0, 0.5, 1, 'microSteps must not be negative, but was -4'",
    "0, 0, 0, 0, -5, 0.5, 1, 'skipped must not be negative, but was -5'",
    "0, 0, 0, 0, 0, 1.5, 1, 'decay must be in [0, 1], but was 1.5'",
    "0, 0, 0, 0, 0, 0.5, NaN, 'startWeight must be in [0, 1], but was NaN'",
    "0, 0, 0, 0, 0, 0.5, -0.1, 'startWeight must be in [0, 1], but was -0.1'",
  })
  void partsOutOfTheirRangeAreRefused(
      long updates,
      long time,
      long pending,
      int microSteps,
      long skipped,
      double decay,
      double startWeight,
      String message) {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> new Progress(updates, time, pending, microSteps, skipped, decay, startWeight, 0))
        .withMessage(message);
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 1e-300, Double.POSITIVE_INFINITY})
  void theLogarithmOfAProductOfDecaysIsNotAboveZero(double logarithm) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Progress(0, 0, 0, 0, 0, 0.5, 1, logarithm))
        .withMessage("logDecayProduct must not be above 0, but was " + logarithm);
  }

  @Test
  void theStateIsALiveView() {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      StateDict<?> state = average.state();
      assertThat(names(state)).containsExactly("w");
      assertThat(state.refresh()).isFalse();
      floats(model)[0] = 1;
      average.update(model);
      assertThat(floats(state)).containsExactly(0.5f);
      state.close();
      average.update(model);
      assertThat(floats(state)).containsExactly(0.75f);
    }
  }

  private static ArrayTensor tensorOf(Average<?> average) {
    return (ArrayTensor) average.state().entries().get(0).tensor();
  }
}
