package io.github.ema4j.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.merge.MergePlan.Input;
import io.github.ema4j.merge.MergePlan.Term;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class MergePlanTest {

  private static StateDict.Builder<ArrayTensor> dict() {
    return StateDict.builder(ArrayBackend.instance());
  }

  private static ArrayTensor floats(int... shape) {
    long[] sizes = Arrays.stream(shape).asLongStream().toArray();
    return ArrayTensor.of(
        new float[(int) TensorSpec.contiguous(ElementType.F32, sizes).elements()], sizes);
  }

  /** The second has another order, a wrapper's prefix and half precision. */
  @Test
  void entriesPairByNameInTheOrderOfTheFirst() {
    StateDict<ArrayTensor> first =
        dict()
            .parameter("w", floats(2, 3))
            .statistic("mean", floats(2))
            .counter("n", ArrayTensor.of(new long[1]))
            .build();
    StateDict<ArrayTensor> second =
        dict()
            .counter("module.n", ArrayTensor.of(new long[1]))
            .parameter("module.w", ArrayTensor.of(ElementType.BF16, new short[6], 2, 3))
            .statistic("module.mean", floats(2))
            .build();

    MergePlan plan =
        MergePlan.average(
            List.of(
                new Input("a", 0.25, first),
                new Input("b", 0.75, second),
                new Input("c", 0, first)));

    assertThat(plan.entries())
        .containsExactly(
            new MergePlan.Entry(
                "w",
                Role.PARAMETER,
                TensorSpec.contiguous(ElementType.F32, 2, 3),
                true,
                ImmutableList.of(
                    new Term(0, "w", ElementType.F32, 0.25),
                    new Term(1, "module.w", ElementType.BF16, 0.75))),
            new MergePlan.Entry(
                "mean",
                Role.STATISTIC,
                TensorSpec.contiguous(ElementType.F32, 2),
                true,
                ImmutableList.of(
                    new Term(0, "mean", ElementType.F32, 0.25),
                    new Term(1, "module.mean", ElementType.F32, 0.75))),
            new MergePlan.Entry(
                "n",
                Role.COUNTER,
                TensorSpec.contiguous(ElementType.I64),
                false,
                ImmutableList.of(new Term(2, "n", ElementType.I64, 0))));
    assertThat(plan.entries()).extracting(MergePlan.Entry::bytes).containsExactly(24L, 8L, 8L);
  }

  @Test
  void everyDifferenceOfEveryInputIsTold() {
    StateDict<ArrayTensor> first =
        dict()
            .parameter("w", floats(2))
            .parameter("gone", floats(2))
            .counter("n", ArrayTensor.of(new long[1]))
            .build();
    StateDict<ArrayTensor> second =
        dict()
            .parameter("w", floats(3))
            .parameter("new", floats(2))
            .counter("n", ArrayTensor.of(ElementType.I32, new int[1]))
            .build();
    StateDict<ArrayTensor> third = dict().parameter("w", floats(2)).build();

    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                MergePlan.average(
                    List.of(
                        new Input("file a", 1, first),
                        new Input("file b", 1, second),
                        new Input("file c", 1, third))))
        .withMessage(
            """
            file a and file b differ:
              shape mismatch for 'w': file a has [2], file b has [3]
              'gone' is only in the file a
              type mismatch for 'n': file a has I64, file b has I32
              'new' is only in the file b
            file a and file c differ:
              'gone' is only in the file a
              'n' is only in the file a""");
  }

  @Test
  void anAverageOfNothingIsRefused() {
    StateDict<ArrayTensor> state = dict().parameter("w", floats(2)).build();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> MergePlan.average(List.of()))
        .withMessage("there is nothing to average");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> MergePlan.average(List.of(new Input("a", 0, state))))
        .withMessage("all inputs have the weight 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Input("a", Double.NaN, state))
        .withMessage("the weight of a must be finite, but was NaN");
  }

  @Test
  void entriesThatCannotBeAreRefused() {
    TensorSpec spec = TensorSpec.contiguous(ElementType.F32, 2);
    Term term = new Term(0, "w", ElementType.F32, 1);
    Term integer = new Term(0, "w", ElementType.I64, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MergePlan.Entry("w", Role.PARAMETER, spec, true, ImmutableList.of()))
        .withMessage("'w' has no terms");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> new MergePlan.Entry("w", Role.PARAMETER, spec, true, ImmutableList.of(integer)))
        .withMessage("'w' of type F32 cannot be the sum of [" + integer + "]");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> new MergePlan.Entry("w", Role.PARAMETER, spec, false, ImmutableList.of(integer)))
        .withMessageStartingWith("'w' of type F32 cannot be a copy of ");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new MergePlan.Entry("w", Role.PARAMETER, spec, false, ImmutableList.of(term, term)))
        .withMessageStartingWith("'w' of type F32 cannot be a copy of ");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new MergePlan.Entry(
                    "w",
                    Role.COUNTER,
                    spec.withType(ElementType.I64),
                    true,
                    ImmutableList.of(term)))
        .withMessageStartingWith("'w' of type I64 cannot be the sum of ");
  }
}
