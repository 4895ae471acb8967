package io.github.ema4j;

import static io.github.ema4j.HandleBackend.FAR;
import static io.github.ema4j.HandleBackend.handle;
import static io.github.ema4j.Models.assertOddValues;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.oddValues;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.HandleBackend.Handle;
import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;

class MoveTest {

  private final HandleBackend handles = new HandleBackend();

  @Test
  void movingToTheCpuKeepsEveryBitAndGoesOn() {
    StateDict<ArrayTensor> model = model("w", oddValues());
    try (var average = halving(model)) {
      average.to(Device.CPU);
      assertOddValues(floats(average.state()));
      floats(model)[8] = 3;
      average.update(model);
      assertThat(floats(average.state())[8]).isEqualTo(2);
      assertThat(average.progress().updates()).isEqualTo(1);
    }
  }

  @Test
  void aMoveToWhereItIsChangesNothing() {
    try (var average = halving(model("w", 1))) {
      StateDict<?> before = average.state();
      average.to(Device.CPU);
      assertThat(floats(before)).containsExactly(1);
      average.load(before);
    }
  }

  @Test
  void aViewFromBeforeTheMoveIsDead() {
    HandleBackend handles = new HandleBackend();
    StateDict<Handle> model =
        StateDict.builder(handles).parameter("w", HandleBackend.handle(1)).build();
    try (var average = ModelEma.builder(handles.adapter()).build(model)) {
      StateDict<?> before = average.state();
      average.to(HandleBackend.FAR);
      Handle dead = (Handle) before.entries().get(0).tensor();
      assertThatIllegalStateException().isThrownBy(() -> handles.describe(dead));
      assertThat(handles.live()).isEqualTo(1);
    }
  }

  @Test
  void aDeviceThatTheBackendHasNotIsRefusedAndTheAverageUnharmed() {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = halving(model)) {
      assertThatExceptionOfType(UnsupportedOperationException.class)
          .isThrownBy(() -> average.to(Device.parse("cuda:0")))
          .withMessage("Java arrays are on the cpu, but the tensor was wanted on cuda:0");
      floats(model)[0] = 2;
      average.update(model);
      assertThat(floats(average.state())).containsExactly(1.5f);
    }
  }

  @Test
  void theAverageGoesToTheDeviceAndStaysThereWhereverTheModelIs() {
    StateDict<Handle> near = modelOf(handle(1, 2, 3, 4));
    StateDict<Handle> far = modelOf(new Handle(handle(3, 2, 3, 4).array(), FAR));
    try (var average = start(near)) {
      average.to(FAR);
      assertThat(average.state().entries().get(0).spec().device()).isEqualTo(FAR);
      average.update(far);
      average.update(near);
      assertThat(floats(average.state())).containsExactly(1.5f, 2, 3, 4);
    }
  }

  @Test
  void theBuilderNamesTheDeviceToo() {
    StateDict<Handle> near = modelOf(handle(1));
    try (var average =
        ModelEma.builder(handles.adapter())
            .strategy(EmaStrategy.nameMatched(0.5))
            .device(FAR)
            .build(near)) {
      assertThat(average.state().entries().get(0).spec().device()).isEqualTo(FAR);
      average.swapInto(near).close();
      average.update(modelOf(new Handle(handle(3).array(), FAR)));
      assertThat(floats(average.state())).containsExactly(2);
    }
  }

  @Test
  void withoutANamedDeviceTheModelMustStayWhereItWas() {
    try (var average = start(modelOf(handle(1)))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(modelOf(new Handle(handle(3).array(), FAR))))
          .withMessageContaining("device mismatch for 'w': average has cpu, model has far:0");
    }
  }

  @Test
  void movingFreesWhatWasLeftBehind() {
    StateDict<Handle> model = modelOf(handle(1));
    var average = start(model);
    average.update(model, Handle.class, (e, m, decay) -> {});
    assertThat(handles.live()).as("shadow and rollback").isEqualTo(2);
    average.to(FAR);
    assertThat(handles.live()).as("shadow").isEqualTo(1);
    average.update(model, Handle.class, (e, m, decay) -> {});
    assertThat(handles.live()).as("shadow and rollback").isEqualTo(2);
    average.close();
    assertThat(handles.live()).isZero();
  }

  private ModelEma<StateDict<Handle>> start(StateDict<Handle> model) {
    return ModelEma.builder(handles.adapter()).strategy(EmaStrategy.nameMatched(0.5)).build(model);
  }

  private StateDict<Handle> modelOf(Handle handle) {
    return StateDict.builder(handles).parameter("w", handle).build();
  }
}
