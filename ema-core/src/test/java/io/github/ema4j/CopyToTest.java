package io.github.ema4j;

import static io.github.ema4j.Models.assertOddValues;
import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.entry;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.longs;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.oddValues;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CopyToTest {

  @Test
  void copyingGivesTheModelEveryBitOfTheAverage() {
    StateDict<ArrayTensor> target = model("w", new float[9]);
    try (var average = halving(model("w", oddValues()))) {
      average.copyTo(target);
      assertOddValues(floats(target));
      floats(target)[8] = 0;
      average.copyTo(target, 1);
      assertOddValues(floats(target));
      assertOddValues(floats(average.state()));
    }
  }

  @Test
  void aFactorOfZeroChangesNoBit() {
    StateDict<ArrayTensor> target = model("w", oddValues());
    try (var average = halving(model("w", 1, 2, 3, 4, 5, 6, Float.POSITIVE_INFINITY, 8, 9))) {
      average.copyTo(target, 0);
      assertOddValues(floats(target));
    }
  }

  @Test
  void aFactorInBetweenMovesTheModelSoFar() {
    StateDict<ArrayTensor> target = model("w", 0, 8);
    try (var average = halving(model("w", 16, 8))) {
      average.copyTo(target, 0.25);
      assertThat(floats(target)).containsExactly(4, 8);
      average.copyTo(target, 0.5);
      assertThat(floats(target)).containsExactly(10, 8);
      assertThat(floats(average.state())).containsExactly(16, 8);
    }
  }

  @ParameterizedTest(name = "factor {0}")
  @ValueSource(doubles = {0.1, 0.3, 1e-3, 1e-20, 1e-300})
  void theFactorIsTakenAsItIsGiven(double factor) {
    double[] weights = {0};
    StateDict<ArrayTensor> target = dict().parameter("w", ArrayTensor.of(weights, 1)).build();
    StateDict<ArrayTensor> one = dict().parameter("w", ArrayTensor.of(new double[] {1}, 1)).build();
    try (var average = halving(one)) {
      average.copyTo(target, factor);
      assertThat(weights).containsExactly(factor);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 1.5, -0.1})
  void factorsAreFromZeroToOne(double factor) {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = halving(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.copyTo(model, factor))
          .withMessage("factor must be in [0, 1], but was " + factor);
    }
  }

  @Test
  void entriesThatAreNotAveragedAreOverwrittenByAWholeCopyAlone() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("w", tensor(0))
            .statistic("mean", tensor(1))
            .counter("n", ArrayTensor.of(new long[] {1}))
            .add("frozen", tensor(1), Role.FROZEN)
            .build();
    EntryPolicy policy =
        EntryPolicy.defaults()
            .with(Role.STATISTIC, Treatment.COPY)
            .with(Role.FROZEN, Treatment.SKIP);
    try (var average = averaging().policy(policy).build(model)) {
      floats(model, "w")[0] = 4;
      floats(model, "mean")[0] = 2;
      longs(model, "n")[0] = 2;
      floats(model, "frozen")[0] = 2;
      average.copyTo(model, 0.5);
      assertThat(floats(model, "w")).containsExactly(2);
      assertThat(floats(model, "mean")).containsExactly(2);
      assertThat(longs(model, "n")).containsExactly(2);
      average.copyTo(model);
      assertThat(floats(model, "mean")).containsExactly(1);
      assertThat(longs(model, "n")).containsExactly(1);
      assertThat(floats(model, "frozen")).containsExactly(2);
    }
  }

  @Test
  void averagedIntegersAreLeftAloneByAPartialCopy() {
    StateDict<ArrayTensor> model = dict().counter("n", ArrayTensor.of(new long[] {1})).build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.COUNTER, Treatment.AVERAGE);
    try (var average = averaging().policy(policy).build(model)) {
      longs(model, "n")[0] = 9;
      average.copyTo(model, 0.5);
      assertThat(longs(model, "n")).containsExactly(9);
    }
  }

  @Test
  void aHalfModelGetsTheFloatAverageRounded() {
    ArrayTensor half = ArrayTensor.of(ElementType.F16, new short[] {0x3c00}, 1);
    StateDict<ArrayTensor> model = dict().parameter("w", half).build();
    try (var average = halving(model)) {
      floats(average.state())[0] = 1 + 0x1p-10f + 0x1p-23f;
      average.copyTo(model);
      assertThat((short[]) half.array()).containsExactly((short) 0x3c01);
      assertThat(entry(average.state(), "w").spec().type()).isEqualTo(ElementType.F32);
    }
  }

  @Test
  void anotherModelIsNotTheTrainedOneFromThenOn() {
    ArrayTensor passing = tensor(0);
    StateDict<ArrayTensor> model =
        dict().parameter("w", tensor(1)).statistic("mean", tensor(2)).build();
    StateDict<ArrayTensor> other =
        dict().parameter("w", passing).statistic("mean", tensor(9)).build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    try (var average = averaging().policy(policy).build(model)) {
      average.copyTo(other);
      average.swapInto(other).close();
      Models.release(passing);
      assertThat(floats(average.module(), "mean")).containsExactly(2);
    }
  }
}
