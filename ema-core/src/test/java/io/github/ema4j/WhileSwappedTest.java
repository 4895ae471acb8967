package io.github.ema4j;

import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayTensor;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class WhileSwappedTest {

  private interface Call
      extends BiConsumer<ModelEma<StateDict<ArrayTensor>>, StateDict<ArrayTensor>> {}

  private static Arguments call(String name, String action, Call call) {
    return Arguments.of(name, action, call);
  }

  static Stream<Arguments> calls() {
    return Stream.of(
        call("update", "update the average", ModelEma::update),
        call("update with elapsed", "update the average", (ema, model) -> ema.update(model, 3)),
        call(
            "update with a rule",
            "update the average",
            (ema, model) -> ema.update(model, ArrayTensor.class, (e, m, decay) -> {})),
        call("set", "set the average", ModelEma::set),
        call("load", "load the average", ModelEma::load),
        call(
            "load with progress",
            "load the average",
            (ema, model) -> ema.load(model, ema.progress())),
        call("to", "move the average", (ema, model) -> ema.to(Device.CPU)),
        call("copyTo", "copy the average", Average::copyTo),
        call("copyTo with factor", "copy the average", (ema, model) -> ema.copyTo(model, 0.5)),
        call("swapInto", "swap in the average", (ema, model) -> ema.swapInto(model).close()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("calls")
  void theAverageCannotBeWrittenOrGivenAway(String name, String action, Call call) {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      floats(model)[0] = 1;
      average.update(model);
      Progress before = average.progress();
      Swap swap = average.swapInto(model);
      for (var target : java.util.List.of(model, model("w", 7))) {
        assertThatIllegalStateException()
            .isThrownBy(() -> call.accept(average, target))
            .withMessage(
                "cannot %s while it is swapped into a model; close the swap first", action);
      }
      assertThat(floats(average.state())).containsExactly(0.5f);
      assertThat(average.progress()).isEqualTo(before);
      swap.close();
      assertThat(floats(model)).containsExactly(1);
      call.accept(average, model);
    }
  }

  @Test
  void theAverageCannotBeClosed() {
    StateDict<ArrayTensor> model = model("w", 1);
    var average = halving(model);
    Swap swap = average.swapInto(model);
    assertThatIllegalStateException()
        .isThrownBy(average::close)
        .withMessage("cannot close the average during a swap; close the swap first");
    swap.close();
    average.close();
  }

  @Test
  void readingIsAllowed() {
    StateDict<ArrayTensor> model =
        dict().parameter("w", tensor(1)).statistic("mean", tensor(2)).build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    try (var average = Models.averaging().policy(policy).build(model)) {
      floats(model, "w")[0] = 3;
      Swap swap = average.swapInto(model);
      assertThat(floats(average.module(), "w")).containsExactly(1);
      assertThat(floats(average.module(), "mean")).containsExactly(2);
      assertThat(floats(average.state())).containsExactly(1);
      assertThat(average.progress().updates()).isZero();
      swap.close();
      assertThat(floats(model, "w")).containsExactly(3);
    }
  }
}
