package io.github.ema4j;

import static io.github.ema4j.Models.assertOddValues;
import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.longs;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.oddValues;
import static io.github.ema4j.Models.release;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LoadTest {

  @Test
  void anotherAveragesStateIsTakenToTheLastBit() {
    try (var source = halving(model("w", oddValues()));
        var average = halving(model("w", new float[9]))) {
      average.load(source.state());
      assertOddValues(floats(average.state()));
      assertOddValues(floats(source.state()));
    }
  }

  @Test
  void anAverageMayLoadItsOwnState() {
    try (var average = halving(model("w", oddValues()))) {
      average.load(average.state());
      assertOddValues(floats(average.state()));
    }
  }

  @Test
  void theStateMayBelongToAnotherBackend() {
    HandleBackend handles = new HandleBackend();
    StateDict<HandleBackend.Handle> other =
        StateDict.builder(handles).parameter("w", HandleBackend.handle(1, 2, 3, 4, 5)).build();
    try (var source = ModelEma.builder(handles.adapter()).build(other);
        var average = halving(model("w", new float[5]))) {
      average.load(source.state());
      assertThat(floats(average.state())).containsExactly(1, 2, 3, 4, 5);
      source.update(other);
      average.update(model("w", new float[5]));
      source.load(average.state());
      assertThat(floats(source.state())).containsExactly(0.5f, 1, 1.5f, 2, 2.5f);
    }
  }

  @ParameterizedTest(name = "average ''{0}'', state ''{1}''")
  @CsvSource({
    "'', module.",
    "module., ''",
    "'', _orig_mod.",
    "_orig_mod., module.",
    "'', module._orig_mod.",
    "_orig_mod.module., ''",
    "module.module., module.",
  })
  void wrapperPrefixesAreOverlookedOnEitherSide(String averages, String states) {
    StateDict<ArrayTensor> model =
        dict().parameter(averages + "a", tensor(0)).parameter(averages + "b", tensor(0)).build();
    StateDict<ArrayTensor> state =
        dict().parameter(states + "b", tensor(2)).parameter(states + "a", tensor(1)).build();
    try (var average = halving(model)) {
      average.load(state);
      assertThat(floats(average.state(), averages + "a")).containsExactly(1);
      assertThat(floats(average.state(), averages + "b")).containsExactly(2);
    }
  }

  @Test
  void aPrefixThatOnlySomeNamesHaveIsPartOfThem() {
    StateDict<ArrayTensor> model =
        dict().parameter("module.a", tensor(0)).parameter("b", tensor(0)).build();
    StateDict<ArrayTensor> state =
        dict().parameter("a", tensor(2)).parameter("b", tensor(1)).build();
    try (var average = halving(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.load(state))
          .withMessage(
              """
              average and state differ:
                'module.a' is only in the average
                'a' is only in the state""");
    }
  }

  @Test
  void floatingTypesAreConvertedWithOneRounding() {
    StateDict<ArrayTensor> state =
        dict()
            .parameter("w", ArrayTensor.of(new double[] {1 + 0x1p-24 + 0x1p-50}, 1))
            .parameter("v", ArrayTensor.of(ElementType.BF16, new short[] {0x3fc0}, 1))
            .build();
    StateDict<ArrayTensor> model =
        dict().parameter("w", tensor(0)).parameter("v", tensor(0)).build();
    try (var average = halving(model)) {
      average.load(state);
      assertThat(floats(average.state(), "w")).containsExactly(1 + 0x1p-23f);
      assertThat(floats(average.state(), "v")).containsExactly(1.5f);
    }
  }

  @Test
  void integersAreNotConverted() {
    StateDict<ArrayTensor> model = dict().counter("n", ArrayTensor.of(new long[] {5})).build();
    StateDict<ArrayTensor> narrow =
        dict().counter("n", ArrayTensor.of(ElementType.I32, new int[] {1})).build();
    StateDict<ArrayTensor> floating = dict().counter("n", ArrayTensor.of(new float[] {1})).build();
    try (var average = halving(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.load(narrow))
          .withMessageContaining("type mismatch for 'n': average has I64, state has I32");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.load(floating))
          .withMessageContaining("type mismatch for 'n': average has I64, state has F32");
      assertThat(longs(average.state(), "n")).containsExactly(5);
    }
  }

  @Test
  void aStateThatDoesNotPairLeavesTheAverageAsItWas() {
    StateDict<ArrayTensor> model =
        dict().parameter("a", tensor(1)).parameter("b", tensor(2)).build();
    ArrayTensor last = tensor(9);
    StateDict<ArrayTensor> dying = dict().parameter("a", tensor(8)).parameter("b", last).build();
    StateDict<ArrayTensor> wrong =
        dict().parameter("a", tensor(8)).parameter("b", tensor(9, 9)).build();
    release(last);
    try (var average = halving(model)) {
      average.update(model);
      Progress before = average.progress();
      assertThatIllegalArgumentException()
          .isThrownBy(
              () -> average.load(wrong, new Progress(9, 9, 0, 0, 0, 0.9, 0.5, Math.log(0.5))))
          .withMessageContaining("shape mismatch for 'b': average has [1], state has [2]");
      assertThatIllegalStateException()
          .isThrownBy(() -> average.load(dying))
          .withMessageContaining("'b' of the state");
      assertThatNullPointerException().isThrownBy(() -> average.load(model, null));
      assertThat(floats(average.state(), "a")).containsExactly(1);
      assertThat(floats(average.state(), "b")).containsExactly(2);
      assertThat(average.progress()).isEqualTo(before);
    }
  }

  @ParameterizedTest(name = "with skipped entries: {0}")
  @ValueSource(booleans = {true, false})
  void skippedEntriesMayBeInTheStateOrNot(boolean whole) {
    StateDict<ArrayTensor> model =
        dict().statistic("mean", tensor(1)).parameter("w", tensor(2)).build();
    StateDict.Builder<ArrayTensor> state = dict();
    if (whole) {
      state.statistic("mean", tensor(8));
    }
    state.parameter("w", tensor(9));
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    for (var pairing : EmaStrategy.Pairing.values()) {
      EmaStrategy strategy = new EmaStrategy(pairing, DecaySchedule.constant(0.5));
      try (var average = averaging().strategy(strategy).policy(policy).build(model)) {
        average.load(state.build());
        assertThat(floats(average.state())).containsExactly(9);
        assertThat(floats(model, "mean")).containsExactly(1);
      }
    }
  }

  @Test
  void loadingAloneIsANewStartAtTheSameTime() {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = halving(model)) {
      average.update(model, 3);
      average.load(model("w", 5));
      assertThat(average.progress())
          .isEqualTo(new Progress(1, 3, 0, 0, 0, 0.125, 1, Math.log(0.125)));
    }
  }

  @ParameterizedTest(name = "stopped after {0} updates")
  @ValueSource(ints = {0, 1, 2, 7, 19})
  void loadingWithProgressGoesOnAsIfTheRunHadNeverStopped(int stopped) {
    EmaStrategy warmup =
        EmaStrategy.nameMatched(0).scheduled(DecaySchedule.inversePowerWarmup(0.9999));
    StateDict<ArrayTensor> model = model("w", 0, 0, 0);
    StateDict<ArrayTensor> elsewhere = model("w", 8, 8, 8);
    try (var whole = averaging().strategy(warmup).build(model);
        var first = averaging().strategy(warmup).build(model);
        var second = averaging().strategy(warmup).build(elsewhere)) {
      for (int step = 0; step < 20; step++) {
        if (step == stopped) {
          second.load(first.state(), first.progress());
        }
        floats(model)[step % 3] = 1f / (step + 1);
        whole.update(model, 1 + step % 2);
        (step < stopped ? first : second).update(model, 1 + step % 2);
      }
      assertThat(floats(second.state())).isEqualTo(floats(whole.state()));
      assertThat(second.progress()).isEqualTo(whole.progress());
    }
  }
}
