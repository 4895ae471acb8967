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
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.array.ArrayTensor;
import java.io.UncheckedIOException;
import org.junit.jupiter.api.Test;

class SwapTest {

  @Test
  void aSwapPutsTheAverageInAndClosingItTheWeightsBack() {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      floats(model)[0] = 1;
      average.update(model);
      try (Swap swap = average.swapInto(model)) {
        assertThat(swap).isNotNull();
        assertThat(average.swapped()).isTrue();
        assertThat(floats(model)).containsExactly(0.5f);
      }
      assertThat(average.swapped()).isFalse();
      assertThat(floats(model)).containsExactly(1);
      assertThat(floats(average.state())).containsExactly(0.5f);
    }
  }

  @Test
  void closingRestoresEveryBitWhateverTheEvaluationDid() {
    StateDict<ArrayTensor> model = model("w", oddValues());
    try (var average = halving(model)) {
      average.set(model("w", 1, 2, 3, 4, 5, 6, 7, 8, 9));
      for (int round = 0; round < 2; round++) {
        Swap swap = average.swapInto(model);
        assertThat(floats(model)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9);
        floats(model)[0] = 42;
        swap.close();
        assertOddValues(floats(model));
      }
      assertThat(floats(average.state())).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9);
    }
  }

  @Test
  void anEvaluationThatThrowsLeavesTheModelWithItsOwnWeights() {
    StateDict<ArrayTensor> model = model("w", oddValues());
    try (var average = halving(model)) {
      average.set(model("w", new float[9]));
      assertThatThrownBy(
              () -> {
                try (Swap swap = average.swapInto(model)) {
                  throw new UncheckedIOException(String.valueOf(swap), new java.io.IOException());
                }
              })
          .isInstanceOf(UncheckedIOException.class)
          .hasNoSuppressedExceptions();
      assertOddValues(floats(model));
      assertThat(average.swapped()).isFalse();
    }
  }

  @Test
  void closingASwapAgainDoesNothing() {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = halving(model)) {
      Swap first = average.swapInto(model);
      first.close();
      floats(model)[0] = 2;
      first.close();
      assertThat(floats(model)).containsExactly(2);
      Swap second = average.swapInto(model);
      first.close();
      assertThat(average.swapped()).isTrue();
      assertThat(floats(model)).containsExactly(1);
      second.close();
      assertThat(floats(model)).containsExactly(2);
    }
  }

  @Test
  void halfWeightsComeBackExactlyThoughTheAverageIsFloat() {
    short[] bits = {0x3c01, 0x7c01, (short) 0xfe55, (short) 0x8000, 1};
    ArrayTensor weights = ArrayTensor.of(ElementType.F16, bits.clone(), 5);
    StateDict<ArrayTensor> model = dict().parameter("w", weights).build();
    try (var average = halving(model)) {
      floats(average.state())[0] = 1 + 0x1p-12f;
      Swap swap = average.swapInto(model);
      assertThat((short[]) weights.array()).startsWith((short) 0x3c00);
      swap.close();
      assertThat((short[]) weights.array()).isEqualTo(bits);
    }
  }

  @Test
  void copiedEntriesAreSwappedTooAndSkippedOnesAreNot() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("w", tensor(1))
            .statistic("mean", tensor(1))
            .counter("n", ArrayTensor.of(new long[] {1}))
            .build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    try (var average = averaging().policy(policy).build(model)) {
      floats(model, "mean")[0] = 2;
      longs(model, "n")[0] = 2;
      Swap swap = average.swapInto(model);
      assertThat(longs(model, "n")).containsExactly(1);
      assertThat(floats(model, "mean")).containsExactly(2);
      floats(model, "mean")[0] = 3;
      swap.close();
      assertThat(longs(model, "n")).containsExactly(2);
      assertThat(floats(model, "mean")).containsExactly(3);
    }
  }

  @Test
  void theAverageMaySwapIntoAnotherModelLikeIt() {
    StateDict<ArrayTensor> model = model("w", 1);
    StateDict<ArrayTensor> other = model("w", 5);
    try (var average = halving(model)) {
      Swap swap = average.swapInto(other);
      assertThat(floats(other)).containsExactly(1);
      swap.close();
      assertThat(floats(other)).containsExactly(5);
      assertThat(floats(model)).containsExactly(1);
    }
  }

  @Test
  void aSwapThatFailsLeavesModelAndAverageAsTheyWere() {
    StateDict<ArrayTensor> model = model("w", 1);
    StateDict<ArrayTensor> wrong = model("v", 5);
    ArrayTensor last = tensor(6);
    StateDict<ArrayTensor> pair = dict().parameter("a", tensor(5)).parameter("b", last).build();
    try (var average = halving(model);
        var pairAverage = halving(pair)) {
      assertThatIllegalArgumentException().isThrownBy(() -> average.swapInto(wrong));
      assertThat(average.swapped()).isFalse();
      assertThat(floats(wrong)).containsExactly(5);
      pairAverage.set(dict().parameter("a", tensor(1)).parameter("b", tensor(2)).build());
      release(last);
      assertThatIllegalStateException()
          .isThrownBy(() -> pairAverage.swapInto(pair))
          .withMessageContaining("'b' of the model");
      assertThat(pairAverage.swapped()).isFalse();
      assertThat(floats(pair, "a")).containsExactly(5);
    }
  }

  @Test
  void aModelThatMovedDuringTheSwapGetsItsWeightsWhereItIsNow() {
    Models.Changing model = new Models.Changing().with("w", tensor(1, 2));
    try (var average = halving(model)) {
      floats(model)[0] = 5;
      Swap swap = average.swapInto(model);
      float[] moved = {0, 0};
      model.with("w", ArrayTensor.of(moved, 2));
      swap.close();
      assertThat(moved).containsExactly(5, 2);
    }
  }

  @Test
  void aModelThatChangedItsShapeDuringTheSwapCanBePutRightAndClosed() {
    Models.Changing model = new Models.Changing().with("w", tensor(1, 2));
    try (var average = halving(model)) {
      floats(model)[0] = 5;
      Swap swap = average.swapInto(model);
      ArrayTensor before = model.entries().get(0).tensor();
      model.with("w", tensor(0, 0, 0));
      assertThatIllegalStateException()
          .isThrownBy(swap::close)
          .withMessageContaining("the model changed during the swap")
          .withMessageContaining("shape mismatch for 'w': average has [2], model has [3]")
          .withMessageContaining("close the swap again");
      assertThat(average.swapped()).isTrue();
      model.with("w", before);
      swap.close();
      assertThat(floats(model)).containsExactly(5, 2);
      assertThat(average.swapped()).isFalse();
    }
  }

  @Test
  void aModelThatTiedItsWeightsDuringTheSwapCanBePutRightAndClosed() {
    ArrayTensor a = tensor(1);
    ArrayTensor b = tensor(2);
    Models.Changing model = new Models.Changing().with("a", a).with("b", b);
    try (var average = halving(model)) {
      Swap swap = average.swapInto(model);
      model.with("b", a);
      assertThatIllegalStateException()
          .isThrownBy(swap::close)
          .withMessageContaining("the model changed during the swap")
          .withMessageContaining("'a' and 'b' are tied");
      model.with("b", b);
      swap.close();
      assertThat(average.swapped()).isFalse();
    }
  }

  @Test
  void aModelThatChangedItsTypeDuringTheSwapCanBePutRightAndClosed() {
    ArrayTensor half = ArrayTensor.of(ElementType.F16, new short[] {0x3c01}, 1);
    Models.Changing model = new Models.Changing().with("w", half);
    try (var average = averaging().shadowType(ShadowType.F32).build(model)) {
      Swap swap = average.swapInto(model);
      model.with("w", tensor(0));
      assertThatIllegalStateException()
          .isThrownBy(swap::close)
          .withMessage(
              "the model changed during the swap, so its weights cannot be put back; undo the change"
                  + " and close the swap again: 'w' was F16 and is F32 now");
      model.with("w", half);
      swap.close();
      assertThat((short[]) half.array()).containsExactly((short) 0x3c01);
    }
  }

  @Test
  void aModelThatChangedItsTypeBetweenSwapsIsRestoredInItsNewType() {
    Models.Changing model = new Models.Changing().with("w", tensor(1));
    try (var average = averaging().shadowType(ShadowType.F32).build(model)) {
      average.swapInto(model).close();
      double[] exact = {1 + 0x1p-50};
      model.with("w", ArrayTensor.of(exact, 1));
      Swap swap = average.swapInto(model);
      assertThat(exact).containsExactly(1);
      swap.close();
      assertThat(exact).containsExactly(1 + 0x1p-50);
    }
  }

  @Test
  void swapsIntoTiedAndUntiedModelsMayTakeTurns() {
    ArrayTensor shared = tensor(1);
    StateDict<ArrayTensor> tied = dict().parameter("a", shared).parameter("b", shared).build();
    StateDict<ArrayTensor> untied =
        dict().parameter("a", tensor(3)).parameter("b", tensor(4)).build();
    try (var average = halving(tied)) {
      for (int round = 0; round < 2; round++) {
        average.swapInto(tied).close();
        Swap swap = average.swapInto(untied);
        assertThat(floats(untied, "b")).containsExactly(1);
        swap.close();
        assertThat(floats(untied, "a")).containsExactly(3);
        assertThat(floats(untied, "b")).containsExactly(4);
      }
    }
  }
}
