package io.github.ema4j;

import static io.github.ema4j.HandleBackend.handle;
import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.HandleBackend.Handle;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModuleTest {

  private static final EntryPolicy SKIPPING =
      EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);

  @Test
  void theModuleIsAModelOfItsOwnThatFollowsTheAverage() {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      StateDict<ArrayTensor> module = average.module();
      assertThat(module).isNotSameAs(model);
      floats(model)[0] = 1;
      average.update(model);
      assertThat(floats(module)).as("only a call refreshes it").containsExactly(0);
      assertThat(average.module()).isSameAs(module);
      assertThat(floats(module)).containsExactly(0.5f);
      floats(module)[0] = 7;
      assertThat(floats(average.state())).containsExactly(0.5f);
      assertThat(floats(model)).containsExactly(1);
    }
  }

  @Test
  void skippedEntriesAreTheTrainedModels() {
    StateDict<ArrayTensor> model =
        dict().parameter("w", tensor(0)).statistic("mean", tensor(1)).build();
    try (var average = averaging().policy(SKIPPING).build(model)) {
      StateDict<ArrayTensor> module = average.module();
      assertThat(floats(module, "mean")).containsExactly(1);
      floats(model, "mean")[0] = 2;
      average.update(model);
      average.module();
      assertThat(floats(module, "mean")).containsExactly(2);
    }
  }

  @Test
  void aSupplierIsAskedOnceAndItsModelIsReleasedWithTheAverage() {
    StateDict<ArrayTensor> made = model("w", 9);
    AtomicInteger asked = new AtomicInteger();
    Supplier<StateDict<ArrayTensor>> supplier =
        () -> {
          asked.incrementAndGet();
          return made;
        };
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = averaging().module(supplier).build(model)) {
      assertThat(asked).hasValue(0);
      assertThat(average.module()).isSameAs(made).isSameAs(average.module());
      assertThat(asked).hasValue(1);
      assertThat(floats(made)).containsExactly(1);
    }
    assertThatIllegalStateException().isThrownBy(() -> floats(made));
    assertThat(floats(model)).containsExactly(1);
  }

  @Test
  void aCopyAlreadyMadeStaysTheCallers() {
    StateDict<ArrayTensor> made = model("w", 9);
    try (var average = averaging().module(made).build(model("w", 1))) {
      assertThat(average.module()).isSameAs(made);
      assertThat(floats(made)).containsExactly(1);
    }
    assertThat(floats(made)).containsExactly(1);
  }

  @Test
  void theFrameworksCopyIsReleasedWithTheAverage() {
    StateDict<ArrayTensor> module;
    try (var average = halving(model("w", 1))) {
      module = average.module();
    }
    assertThatIllegalStateException().isThrownBy(() -> floats(module));
  }

  @Test
  void equalTensorsOfACopyAreAllReleasedAndTiedOnesOnce() {
    HandleBackend handles = new HandleBackend();
    Handle shared = handle(0);
    StateDict<Handle> model =
        StateDict.builder(handles)
            .parameter("a", shared)
            .parameter("b", handle(0))
            .parameter("c", shared)
            .build();
    try (var average = ModelEma.builder(handles.adapter()).build(model)) {
      average.module();
      assertThat(handles.live()).as("shadow and copy of two tensors each").isEqualTo(4);
    }
    assertThat(handles.live()).isZero();
  }

  @Test
  void theModuleMayHaveOtherFloatingTypes() {
    double[] wide = {0};
    StateDict<ArrayTensor> made = dict().parameter("w", ArrayTensor.of(wide, 1)).build();
    try (var average = averaging().module(made).build(model("w", 0.1f))) {
      average.module();
      assertThat(wide).containsExactly((double) 0.1f);
    }
  }

  @Test
  void aModuleThatIsTheModelIsRefused() {
    StateDict<ArrayTensor> model = model("w", 1);
    String message = "the module must be a copy of the model, but it is the model itself";
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().module(model).build(model))
        .withMessage(message);
    try (var average = averaging().module(() -> model).build(model)) {
      assertThatIllegalArgumentException().isThrownBy(average::module).withMessage(message);
      average.update(model);
    }
    assertThat(floats(model)).containsExactly(1);
  }

  @Test
  void aModuleThatSharesMemoryWithTheModelIsRefusedAndTheModelUnharmed() {
    ArrayTensor weights = tensor(1);
    StateDict<ArrayTensor> model = dict().parameter("w", weights).build();
    StateDict<ArrayTensor> shallow = dict().parameter("w", weights).build();
    String message =
        "'w' of the module shares memory with 'w' of the model; each needs memory of its own";
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().module(shallow).build(model))
        .withMessage(message);
    try (var average = averaging().module(() -> shallow).build(model)) {
      assertThatIllegalArgumentException().isThrownBy(average::module).withMessage(message);
      floats(model)[0] = 2;
      average.update(model);
    }
    assertThat(floats(model)).containsExactly(2);
  }

  @Test
  void sharingASkippedEntryIsRefusedToo() {
    ArrayTensor mean = tensor(1);
    StateDict<ArrayTensor> model = dict().parameter("w", tensor(1)).statistic("mean", mean).build();
    StateDict<ArrayTensor> shallow =
        dict().parameter("w", tensor(1)).statistic("mean", mean).build();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().policy(SKIPPING).module(shallow).build(model))
        .withMessageStartingWith("'mean' of the module shares memory with 'mean' of the model");
  }

  @Test
  void aModuleMadeOfTheAveragesTensorsIsRefusedAndTheAverageUnharmed() {
    StateDict<ArrayTensor> model = model("w", 1);
    AtomicReference<StateDict<?>> state = new AtomicReference<>();
    Supplier<StateDict<ArrayTensor>> supplier =
        () -> dict().parameter("w", (ArrayTensor) state.get().entries().get(0).tensor()).build();
    try (var average = averaging().module(supplier).build(model)) {
      state.set(average.state());
      assertThatIllegalArgumentException()
          .isThrownBy(average::module)
          .withMessageStartingWith("'w' of the average shares memory with 'w' of the module");
      assertThat(floats(average.state())).containsExactly(1);
    }
  }

  @Test
  void aModuleOfAnotherShapeIsRefused() {
    StateDict<ArrayTensor> model = model("w", 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().module(model("w", 1, 2)).build(model))
        .withMessageContaining("average and module differ")
        .withMessageContaining("shape mismatch for 'w': average has [1], module has [2]");
  }

  @Test
  void aSuppliedModelIsInitializedAndPutIntoEvaluationMode() {
    Framework framework = new Framework();
    StateDict<Handle> model = framework.model(1);
    StateDict<Handle> made = framework.copy(framework.model(2));
    try (var average = ModelEma.builder(framework).module(() -> made).build(model)) {
      assertThat(average.module()).isSameAs(made);
    }
    assertThat(framework.calls).containsExactly("initializeLike", "evaluationMode", "releaseCopy");
  }

  @Test
  void aGivenCopyStaysTheCallersAndIsNotInitialized() {
    Framework framework = new Framework();
    StateDict<Handle> model = framework.model(1);
    StateDict<Handle> made = framework.model(2);
    ModelEma.builder(framework).module(made).build(model).close();
    assertThat(framework.calls).containsExactly("evaluationMode");
  }

  @Test
  void theModelItselfIsRefusedAsModuleBeforeAnythingHappensToIt() {
    Framework framework = new Framework();
    StateDict<Handle> model = framework.model(1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ModelEma.builder(framework).module(model).build(model));
    try (var average = ModelEma.builder(framework).module(() -> model).build(model)) {
      assertThatIllegalArgumentException().isThrownBy(average::module);
    }
    assertThat(framework.calls).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aRefusedModelIsReleasedOnlyIfItsWeightsWereMadeForTheAverage(boolean hadNoWeights) {
    Framework framework = new Framework();
    framework.initializes = hadNoWeights;
    StateDict<Handle> model = framework.model(1);
    StateDict<Handle> other = framework.copy(framework.model(1, 2));
    try (var average = ModelEma.builder(framework).module(() -> other).build(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(average::module)
          .withMessageContaining("shape mismatch for 'w'");
    }
    assertThat(framework.calls.contains("releaseCopy")).isEqualTo(hadNoWeights);
  }

  @Test
  void aFrameworksCopyThatIsOfNoUseIsReleased() {
    Framework framework = new Framework();
    framework.broken = true;
    StateDict<Handle> model =
        StateDict.builder(framework.handles).parameter("w", handle(1)).build();
    try (var average = ModelEma.builder(framework).build(model)) {
      for (int i = 0; i < 2; i++) {
        assertThatIllegalStateException().isThrownBy(average::module).withMessage("no such mode");
        assertThat(framework.handles.live()).as("the shadow").isEqualTo(1);
      }
      framework.broken = false;
      assertThat(floats(average.module())).containsExactly(1);
    }
    assertThat(framework.handles.live()).isZero();
  }

  @Test
  void theModuleFollowsTheAverageToItsNewMemory() {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      average.module();
      average.to(Device.CPU);
      floats(model)[0] = 1;
      average.update(model);
      assertThat(floats(average.module())).containsExactly(0.5f);
    }
  }

  /** An adapter with modes, as frameworks' are. */
  private static final class Framework implements ModelAdapter<StateDict<Handle>, Handle> {
    final HandleBackend handles = new HandleBackend();
    final List<String> calls = new ArrayList<>();
    boolean broken;
    boolean initializes;

    StateDict<Handle> model(float... weights) {
      return StateDict.builder(handles).parameter("w", handle(weights)).build();
    }

    @Override
    public HandleBackend backend() {
      return handles;
    }

    @Override
    public StateDict<Handle> stateDict(StateDict<Handle> model) {
      return handles.adapter().stateDict(model);
    }

    @Override
    public StateDict<Handle> copy(StateDict<Handle> model) {
      return handles.adapter().copy(model);
    }

    @Override
    public boolean initializeLike(StateDict<Handle> copy, StateDict<Handle> model) {
      calls.add("initializeLike");
      return initializes;
    }

    @Override
    public void evaluationMode(StateDict<Handle> copy) {
      if (broken) {
        throw new IllegalStateException("no such mode");
      }
      calls.add("evaluationMode");
    }

    @Override
    public void releaseCopy(StateDict<Handle> copy) {
      calls.add("releaseCopy");
      handles.adapter().releaseCopy(copy);
    }
  }
}
