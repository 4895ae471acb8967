package io.github.ema4j;

import static io.github.ema4j.HandleBackend.handle;
import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.HandleBackend.Handle;
import io.github.ema4j.array.ArrayTensor;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class CloseTest {

  @Test
  void closingAgainDoesNothing() {
    HandleBackend handles = new HandleBackend();
    StateDict<Handle> model = StateDict.builder(handles).parameter("w", handle(1)).build();
    var average = ModelEma.builder(handles.adapter()).build(model);
    average.close();
    average.close();
    assertThat(handles.live()).isZero();
  }

  @Test
  void closingFreesAllThatTheAverageEverAllocated() {
    HandleBackend handles = new HandleBackend();
    StateDict<Handle> model =
        StateDict.builder(handles).parameter("v", handle(1)).parameter("w", handle(1)).build();
    var average = ModelEma.builder(handles.adapter()).build(model);
    average.update(model, Handle.class, (e, m, decay) -> {});
    average.swapInto(model).close();
    average.module();
    assertThat(handles.live()).as("shadow, rollback, backup and module").isEqualTo(8);
    average.close();
    assertThat(handles.live()).isZero();
    assertThat(floats(model, "w")).containsExactly(1);
  }

  @Test
  void anAverageThatCannotStartLeavesNothingAllocated() {
    HandleBackend handles = new HandleBackend();
    StateDict<Handle> model = StateDict.builder(handles).parameter("w", handle(1)).build();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ModelEma.builder(handles.adapter()).module(model).build(model));
    assertThat(handles.live()).isZero();
  }

  @Test
  void theViewDiesWithTheAverageAndTheModelLivesOn() {
    StateDict<ArrayTensor> model = model("w", 1);
    StateDict<?> state;
    try (var average = halving(model)) {
      state = average.state();
    }
    assertThatIllegalStateException()
        .isThrownBy(() -> floats(state))
        .withMessage("the tensor was released with the average that owned it");
    assertThat(floats(model)).containsExactly(1);
  }

  @Test
  void aClosedAverageRefusesEverythingButItsProgress() {
    StateDict<ArrayTensor> model = model("w", 1);
    var average = halving(model);
    average.update(model);
    Progress progress = average.progress();
    average.close();
    Map<String, Consumer<ModelEma<StateDict<ArrayTensor>>>> calls =
        ImmutableMap.<String, Consumer<ModelEma<StateDict<ArrayTensor>>>>builder()
            .put("update", ema -> ema.update(model))
            .put("update with elapsed", ema -> ema.update(model, 2))
            .put(
                "update with a rule",
                ema -> ema.update(model, ArrayTensor.class, (e, m, decay) -> {}))
            .put("set", ema -> ema.set(model))
            .put("load", ema -> ema.load(model))
            .put("load with progress", ema -> ema.load(model, progress))
            .put("to", ema -> ema.to(Device.CPU))
            .put("swapInto", ema -> ema.swapInto(model))
            .put("copyTo", ema -> ema.copyTo(model))
            .put("copyTo with factor", ema -> ema.copyTo(model, 0.5))
            .put("module", ModelEma::module)
            .put("state", ModelEma::state)
            .buildOrThrow();
    calls.forEach(
        (name, call) ->
            assertThatIllegalStateException()
                .as(name)
                .isThrownBy(() -> call.accept(average))
                .withMessage("the average is closed"));
    assertThat(average.progress()).isEqualTo(progress);
    assertThat(average.swapped()).isFalse();
    assertThat(floats(model)).containsExactly(1);
  }

  @Test
  void aSwapClosedAfterItsAverageDoesNothing() {
    StateDict<ArrayTensor> model = model("w", 1);
    var average = averaging().build(model);
    Swap swap = average.swapInto(model);
    swap.close();
    average.close();
    swap.close();
    assertThat(floats(model)).containsExactly(1);
  }
}
