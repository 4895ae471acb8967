package io.github.ema4j;

import static io.github.ema4j.Models.assertOddValues;
import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.entry;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.longs;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.names;
import static io.github.ema4j.Models.oddValues;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.withPrecision;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class UpdateTest {

  @Test
  void theAverageStartsAsACopyOfTheModelToTheLastBit() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("weight", tensor(oddValues()))
            .statistic("mean", tensor(1, 2))
            .counter("steps", ArrayTensor.of(new long[] {7}))
            .add("frozen", tensor(3), Role.FROZEN)
            .build();
    try (var average = halving(model)) {
      assertThat(names(average.state())).containsExactly("weight", "mean", "steps", "frozen");
      assertThat(average.state().entries())
          .extracting(StateDict.Entry::role)
          .containsExactly(Role.PARAMETER, Role.STATISTIC, Role.COUNTER, Role.FROZEN);
      assertOddValues(floats(average.state(), "weight"));
      assertThat(floats(average.state(), "mean")).containsExactly(1, 2);
      assertThat(longs(average.state(), "steps")).containsExactly(7);
      assertThat(floats(average.state(), "weight")).isNotSameAs(floats(model, "weight"));
    }
  }

  @Test
  void theModelIsUntouchedByUpdates() {
    StateDict<ArrayTensor> model = model("w", oddValues());
    try (var average = halving(model)) {
      average.update(model);
      average.update(model, 5);
      average.update(model, ArrayTensor.class, (e, m, decay) -> {});
      average.set(model);
      assertOddValues(floats(model));
    }
  }

  @Test
  void anUpdateMovesTheAverageTowardsTheModelByTheWeight() {
    StateDict<ArrayTensor> model = model("w", 0, 8);
    try (var average = averaging().strategy(EmaStrategy.nameMatched(0.75)).build(model)) {
      floats(model)[0] = 16;
      average.update(model);
      assertThat(floats(average.state())).containsExactly(4, 8);
      average.update(model);
      assertThat(floats(average.state())).containsExactly(7, 8);
    }
  }

  @Test
  void theRuleIsTheOneThatWasAskedFor() {
    float[] constants = {0.1f, 0.2f, 0.3f, 0.4f, 0.6f, 0.7f, 0.8f, 0.9f};
    StateDict<ArrayTensor> model = model("w", constants.clone());
    try (var lerp = averaging().rule(AveragingRule.LERP).build(model);
        var sum = averaging().rule(AveragingRule.WEIGHTED_SUM).build(model)) {
      for (int i = 0; i < 1_000; i++) {
        lerp.update(model);
        sum.update(model);
      }
      assertThat(floats(lerp.state())).isEqualTo(constants);
      assertThat(floats(sum.state()))
          .isNotEqualTo(constants)
          .containsExactly(constants, withPrecision(2e-4f));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 10})
  void anUpdateAfterSeveralStepsKeepsThePowerOfTheDecay(long elapsed) {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      floats(model)[0] = 1;
      average.update(model, elapsed);
      assertThat((double) floats(average.state())[0])
          .isEqualTo(1 - Math.pow(0.5, (double) elapsed));
      assertThat(average.progress().time()).isEqualTo(elapsed);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void anUpdateAfterNoTimeIsRefused(long elapsed) {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model, elapsed))
          .withMessage("elapsed must be at least 1, but was " + elapsed);
    }
  }

  @Test
  void settingMakesACopyAndANewStartingPoint() {
    StateDict<ArrayTensor> model = model("w", oddValues());
    StateDict<ArrayTensor> start = model("w", new float[9]);
    try (var average = halving(start)) {
      average.update(start);
      Progress before = average.progress();
      average.set(model);
      assertOddValues(floats(average.state()));
      assertThat(average.progress())
          .isEqualTo(
              new Progress(
                  before.updates(),
                  before.time(),
                  0,
                  0,
                  0,
                  before.decay(),
                  1,
                  before.logDecayProduct()));
    }
  }

  @Test
  void countersAreCopiedAndSkippedEntriesHaveNoAverage() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("w", tensor(0))
            .statistic("mean", tensor(0))
            .counter("steps", ArrayTensor.of(new long[] {0}))
            .build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    try (var average =
        averaging().strategy(EmaStrategy.nameMatched(0.5)).policy(policy).build(model)) {
      floats(model, "w")[0] = 1;
      longs(model, "steps")[0] = 1L << 60 | 1;
      average.update(model);
      assertThat(names(average.state())).containsExactly("w", "steps");
      assertThat(floats(average.state(), "w")).containsExactly(0.5f);
      assertThat(longs(average.state(), "steps")).containsExactly(1L << 60 | 1);
    }
  }

  @Test
  void unitVectorsStayUnitVectorsWhenAPatternCopiesThem() {
    StateDict<ArrayTensor> model =
        dict().parameter("conv.weight", tensor(1)).statistic("conv.weight_u", tensor(1, 0)).build();
    EntryPolicy policy =
        EntryPolicy.defaults().with(NamePattern.regex(".*weight_[uv]"), Treatment.COPY);
    try (var average = halving(model);
        var copying =
            averaging().strategy(EmaStrategy.nameMatched(0.5)).policy(policy).build(model)) {
      float[] unit = floats(model, "conv.weight_u");
      unit[0] = 0;
      unit[1] = 1;
      floats(model, "conv.weight")[0] = 3;
      average.update(model);
      copying.update(model);
      assertThat(floats(average.state(), "conv.weight_u")).containsExactly(0.5f, 0.5f);
      assertThat(floats(copying.state(), "conv.weight_u")).containsExactly(0, 1);
      assertThat(floats(copying.state(), "conv.weight")).containsExactly(2);
    }
  }

  @Test
  void aFrozenParameterIsRightOnceItIsNoLongerFrozen() {
    StateDict<ArrayTensor> frozen = dict().add("w", tensor(8), Role.FROZEN).build();
    try (var average = halving(frozen);
        var never = halving(model("w", 8))) {
      for (int step = 0; step < 3; step++) {
        average.update(frozen);
        never.update(model("w", 8));
      }
      StateDict<ArrayTensor> thawed = model("w", 4);
      average.update(thawed);
      never.update(thawed);
      assertThat(floats(average.state())).isEqualTo(floats(never.state())).containsExactly(6);
    }
  }

  @Test
  void averagedCountersAreTruncated() {
    StateDict<ArrayTensor> model = dict().counter("n", ArrayTensor.of(new long[] {10})).build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.COUNTER, Treatment.AVERAGE);
    try (var average =
        averaging().strategy(EmaStrategy.nameMatched(0.5)).policy(policy).build(model)) {
      longs(model, "n")[0] = 13;
      average.update(model);
      assertThat(longs(average.state(), "n")).containsExactly(11);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void halfModelsAreAveragedInFloatUnlessToldOtherwise(ElementType type) {
    short one = (short) (type == ElementType.F16 ? 0x3c00 : 0x3f80);
    StateDict<ArrayTensor> model =
        dict().parameter("w", ArrayTensor.of(type, new short[] {one}, 1)).build();
    try (var average = averaging().build(model);
        var own = averaging().shadowType(ShadowType.MODEL).build(model);
        var wide = averaging().shadowType(ShadowType.F64).build(model)) {
      assertThat(floats(average.state())).containsExactly(1);
      assertThat(entry(own.state(), "w").spec().type()).isEqualTo(type);
      assertThat(entry(wide.state(), "w").spec().type()).isEqualTo(ElementType.F64);
    }
  }

  @Test
  void shadowTypesDoNotTouchCopiedEntries() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("w", tensor(1))
            .statistic("mean", tensor(1))
            .counter("n", ArrayTensor.of(new long[1]))
            .build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.COPY);
    try (var average = averaging().shadowType(ShadowType.F64).policy(policy).build(model)) {
      assertThat(average.state().entries())
          .extracting(entry -> entry.spec().type())
          .containsExactly(ElementType.F64, ElementType.F32, ElementType.I64);
    }
  }

  @Test
  void theAverageLiesAsTheModelLiesButWithoutItsGaps() {
    float[] array = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    StateDict<ArrayTensor> model =
        dict()
            .parameter("columns", view(array.clone(), 0, 3, 1))
            .parameter("slice", view(array.clone(), 1, 1, 6))
            .build();
    try (var average = halving(model)) {
      assertThat(entry(average.state(), "columns").spec().strides())
          .isEqualTo(ImmutableLongArray.of(3, 1));
      assertThat(entry(average.state(), "slice").spec().strides())
          .isEqualTo(ImmutableLongArray.of(2, 1));
      assertThat(floats(average.state(), "slice")).containsExactly(1, 7, 2, 8, 3, 9);
      assertThat(floats(average.state(), "columns")).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
    }
  }

  @Test
  void zeroDimensionalAndEmptyTensorsAreEntriesLikeOthers() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("scale", ArrayTensor.of(new float[] {0}))
            .parameter("none", ArrayTensor.of(new float[0], 0, 3))
            .build();
    try (var average = halving(model)) {
      floats(model, "scale")[0] = 1;
      average.update(model);
      assertThat(floats(average.state(), "scale")).containsExactly(0.5f);
      assertThat(floats(average.state(), "none")).isEmpty();
    }
  }

  private static ArrayTensor view(float[] array, int offset, long rowStride, long columnStride) {
    return ArrayTensor.view(
        ElementType.F32,
        array,
        offset,
        new long[] {3, columnStride == 1 ? 3 : 2},
        new long[] {rowStride, columnStride});
  }
}
