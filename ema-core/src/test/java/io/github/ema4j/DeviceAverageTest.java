package io.github.ema4j;

import static io.github.ema4j.FarBackend.DEVICE;
import static io.github.ema4j.FarBackend.far;
import static io.github.ema4j.FarBackend.near;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.release;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.FarBackend.Far;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.SeededTensors;
import io.github.ema4j.spi.ModelAdapter;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Averages of tensors that the framework's own operations work on, outside host memory. */
class DeviceAverageTest {
  private final FarBackend backend = new FarBackend();
  private final ModelAdapter<StateDict<Far>, Far> adapter = StateDict.adapter(backend);

  @ParameterizedTest
  @CsvSource({
    "far, far, LERP", "far, cpu, LERP", "cpu, far, LERP",
    "far, far, WEIGHTED_SUM", "far, cpu, WEIGHTED_SUM", "cpu, far, WEIGHTED_SUM"
  })
  void whatIsAveragedElsewhereIsWhatTheHostWouldGive(
      String modelOn, String averageOn, AveragingRule rule) {
    Random random = new Random(2);
    StateDict<ArrayTensor> arrays = SeededTensors.ofAllTypes(random);
    StateDict<Far> model = dict(arrays, array -> new Far(array, Device.parse(modelOn)));
    EmaConfig config =
        EmaConfig.defaults()
            .withRule(rule)
            .withPolicy(
                EntryPolicy.defaults()
                    .with(NamePattern.glob("I64-*"), Treatment.AVERAGE)
                    .with(NamePattern.glob("F16-7"), Treatment.COPY))
            .withStrategy(EmaStrategy.nameMatched(0.9));
    try (ModelEma<StateDict<ArrayTensor>> expected =
            ModelEma.builder(ArrayBackend.adapter()).config(config).build(arrays);
        ModelEma<StateDict<Far>> actual =
            ModelEma.builder(adapter)
                .config(config.withDevice(Device.parse(averageOn)))
                .guard(NonFiniteGuard.ACCEPT)
                .build(model)) {
      for (int step = 0; step < 5; step++) {
        SeededTensors.refill(arrays, random);
        expected.update(arrays);
        actual.update(model);
      }
      SeededTensors.assertSameBits(arrays(actual.state()), expected.state(), "state");
      StateDict<ArrayTensor> before = copy(arrays);
      StateDict<ArrayTensor> swapped = copy(arrays);
      expected.copyTo(swapped);
      try (Swap swap = actual.swapInto(model)) {
        assertThat(swap).isNotNull();
        SeededTensors.assertSameBits(arrays, swapped, "in the swap");
      }
      SeededTensors.assertSameBits(arrays, before, "after the swap");
    }
    assertThat(backend.live()).isZero();
  }

  @Test
  void subnormalNumbersCannotBeFlushedWhereTheFrameworkAverages() {
    StateDict<Far> model = dictOf(far(tensor(1)));
    ModelEma.Builder<StateDict<Far>> builder = ModelEma.builder(adapter).flushSubnormals(true);
    assertThatThrownBy(() -> builder.build(model))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageStartingWith("flushSubnormals is for averages in host memory, but this one")
        .hasMessageEndingWith("leave it off, or keep the average on the cpu");
    try (ModelEma<StateDict<Far>> ema = builder.device(Device.CPU).build(model)) {
      assertThatThrownBy(() -> ema.to(FarBackend.DEVICE))
          .isInstanceOf(UnsupportedOperationException.class);
      ema.update(model);
    }
    assertThat(backend.live()).isZero();
  }

  @Test
  void oneCallAveragesAllThatAreAlike() {
    StateDict.Builder<Far> dict = StateDict.builder(backend);
    for (int i = 0; i < 5; i++) {
      dict.parameter("w" + i, far(tensor(i)));
    }
    dict.parameter("wide", far(ArrayTensor.of(new double[] {1}, 1)));
    dict.counter("steps", far(ArrayTensor.of(new long[] {1}, 1)));
    StateDict<Far> model = dict.build();
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter).guard(NonFiniteGuard.ACCEPT).build(model)) {
      backend.calls();
      ema.update(model);
      assertThat(backend.calls()).containsExactly("lerp 5", "lerp 1", "copy 1");
      int allocations = backend.allocations();
      ema.update(model);
      ema.update(model);
      assertThat(backend.allocations()).isEqualTo(allocations);
    }
  }

  @Test
  void halfTensorsAreAveragedInFloat32AndStagedOnce() {
    StateDict<Far> model = dictOf(far(ArrayTensor.of(ElementType.BF16, new short[] {0x3f80}, 1)));
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter)
            .strategy(EmaStrategy.nameMatched(0.5))
            .guard(NonFiniteGuard.ACCEPT)
            .build(model)) {
      backend.calls();
      ((short[]) model.entries().get(0).tensor().array().array())[0] = 0x4000;
      ema.update(model);
      assertThat(backend.calls()).containsExactly("copy 1", "lerp 1");
      assertThat(farFloats(ema.state())).containsExactly(1.5f);
      int live = backend.live();
      int allocations = backend.allocations();
      ema.update(model);
      assertThat(backend.live()).isEqualTo(live);
      assertThat(backend.allocations()).isEqualTo(allocations);
    }
    assertThat(backend.live()).isZero();
  }

  @Test
  void aUsersRuleIsGivenTheTensorsThatAreAveragedAndTheOthersAreCopied() {
    StateDict<Far> model =
        StateDict.builder(backend)
            .parameter("w", far(tensor(1)))
            .counter("n", far(ArrayTensor.of(new long[] {1}, 1)))
            .build();
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter).guard(NonFiniteGuard.ACCEPT).build(model)) {
      ((float[]) model.entries().get(0).tensor().array().array())[0] = 5;
      ((long[]) model.entries().get(1).tensor().array().array())[0] = 2;
      ema.update(
          model,
          Far.class,
          (average, from, decay) ->
              ((float[]) average.array().array())[0] = 10 * ((float[]) from.array().array())[0]);
      assertThat(arrays(ema.state()).entries())
          .extracting(entry -> entry.tensor().array())
          .containsExactly(new float[] {50}, new long[] {2});
    }
  }

  @Test
  void severalAveragesAreUpdatedTogether() {
    StateDict<Far> model = dictOf(far(tensor(0)));
    try (EmaBank<StateDict<Far>> bank =
        EmaBank.builder(adapter)
            .config(EmaConfig.defaults().withGuard(NonFiniteGuard.ACCEPT))
            .average("a", DecaySchedule.constant(0.5))
            .average("b", DecaySchedule.constant(0.25))
            .build(model)) {
      farFloats(model)[0] = 1;
      bank.update(model);
      assertThat(farFloats(bank.average("a").state())).containsExactly(0.5f);
      assertThat(farFloats(bank.average("b").state())).containsExactly(0.75f);
    }
  }

  @Test
  void copyingPartOfTheWayStagesToo() {
    StateDict<Far> model = dictOf(far(tensor(0)));
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter).device(Device.CPU).guard(NonFiniteGuard.ACCEPT).build(model)) {
      farFloats(model)[0] = 4;
      ema.copyTo(model, 0.25);
      assertThat(farFloats(model)).containsExactly(3);
      ema.copyTo(model);
      assertThat(farFloats(model)).containsExactly(0);
      int live = backend.live();
      ema.copyTo(model, 0.25);
      assertThat(backend.live()).isEqualTo(live);
    }
    assertThat(backend.live()).isZero();
  }

  @Test
  void anAverageMovesBetweenDevices() {
    StateDict<Far> model = dictOf(far(tensor(1)));
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter)
            .strategy(EmaStrategy.nameMatched(0.5))
            .guard(NonFiniteGuard.ACCEPT)
            .build(model)) {
      farFloats(model)[0] = 3;
      ema.to(Device.CPU);
      ema.update(model);
      assertThat(ema.state().entries().get(0).spec().device()).isEqualTo(Device.CPU);
      assertThat(farFloats(ema.state())).containsExactly(2);
      ema.to(DEVICE);
      ema.update(model);
      assertThat(ema.state().entries().get(0).spec().device()).isEqualTo(DEVICE);
      assertThat(farFloats(ema.state())).containsExactly(2.5f);
      assertThat(farFloats(ema.module())).containsExactly(2.5f);
    }
    assertThat(backend.live()).isZero();
  }

  @Test
  void statesOfOtherBackendsAreLoadedThroughHostMemory() {
    StateDict<Far> model = dictOf(far(tensor(0)));
    try (ModelEma<StateDict<Far>> ema =
            ModelEma.builder(adapter).guard(NonFiniteGuard.ACCEPT).build(model);
        ModelEma<StateDict<ArrayTensor>> onHost =
            ModelEma.builder(ArrayBackend.adapter()).build(model("w", 5))) {
      int live = backend.live();
      ema.load(onHost.state());
      assertThat(farFloats(ema.state())).containsExactly(5);
      farFloats(ema.state())[0] = 7;
      onHost.load(ema.state());
      assertThat(floats(onHost.state())).containsExactly(7);
      assertThat(backend.live()).isEqualTo(live);
    }
  }

  @Test
  void aGuardThatIsAskedToLooksOnTheDevice() {
    StateDict<Far> model = dictOf(far(tensor(0)));
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter).guard(NonFiniteGuard.FAIL).build(model)) {
      farFloats(model)[0] = Float.NaN;
      assertThatIllegalStateException()
          .isThrownBy(() -> ema.update(model))
          .withMessageContaining("'w' of the model has NaN or infinity");
      assertThat(farFloats(ema.state())).containsExactly(0);
    }
  }

  @Test
  void nobodyWaitsForTheDeviceToLookThereUnlessAsked() {
    StateDict<Far> model =
        StateDict.builder(backend)
            .parameter("far", far(tensor(0)))
            .parameter("near", near(tensor(0)))
            .build();
    try (ModelEma<StateDict<Far>> ema = ModelEma.builder(adapter).build(model)) {
      farFloats(model)[0] = Float.NaN;
      backend.calls();
      ema.update(model);
      assertThat(backend.calls()).doesNotContain("isFinite");
      ((float[]) model.entries().get(1).tensor().array().array())[0] = Float.NaN;
      assertThatIllegalStateException()
          .isThrownBy(() -> ema.update(model))
          .withMessageContaining("'near' of the model has NaN or infinity");
    }
  }

  @Test
  void aModelInHostMemoryIsLookedAtWhereverItsAverageIs() {
    StateDict<Far> model = dictOf(near(tensor(0)));
    try (ModelEma<StateDict<Far>> ema = ModelEma.builder(adapter).device(DEVICE).build(model)) {
      farFloats(model)[0] = Float.NaN;
      assertThatIllegalStateException()
          .isThrownBy(() -> ema.update(model))
          .withMessageContaining("'w' of the model has NaN or infinity");
    }
  }

  @Test
  void swapsAfterTheFirstAllocateNothing() {
    StateDict<Far> model = dictOf(far(tensor(1)));
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter).guard(NonFiniteGuard.ACCEPT).build(model)) {
      ema.swapInto(model).close();
      int allocations = backend.allocations();
      ema.swapInto(model).close();
      ema.swapInto(dictOf(far(tensor(2)))).close();
      assertThat(backend.allocations()).isEqualTo(allocations);
    }
  }

  @Test
  void aClosedTensorIsFoundBeforeAnythingIsWritten() {
    ArrayTensor closing = tensor(0);
    StateDict<Far> model =
        StateDict.builder(backend)
            .parameter("near", near(tensor(0)))
            .parameter("w", far(closing))
            .build();
    try (ModelEma<StateDict<Far>> ema =
        ModelEma.builder(adapter)
            .strategy(EmaStrategy.nameMatched(0.5))
            .guard(NonFiniteGuard.ACCEPT)
            .build(model)) {
      ((float[]) model.entries().get(0).tensor().array().array())[0] = 1;
      release(closing);
      assertThatIllegalStateException()
          .isThrownBy(() -> ema.update(model))
          .withMessageStartingWith("'w' of the model: ");
      assertThat(((Far) ema.state().entries().get(0).tensor()).array().array())
          .isEqualTo(new float[] {0});
    }
  }

  private StateDict<Far> dictOf(Far tensor) {
    return StateDict.builder(backend).parameter("w", tensor).build();
  }

  private static float[] farFloats(StateDict<?> dict) {
    return (float[]) ((Far) dict.entries().get(0).tensor()).array().array();
  }

  private StateDict<Far> dict(StateDict<ArrayTensor> arrays, Function<ArrayTensor, Far> placing) {
    StateDict.Builder<Far> dict = StateDict.builder(backend);
    arrays
        .entries()
        .forEach(entry -> dict.add(entry.name(), placing.apply(entry.tensor()), entry.role()));
    return dict.build();
  }

  /** Returns a view of the arrays behind an average. */
  private static StateDict<ArrayTensor> arrays(StateDict<?> state) {
    StateDict.Builder<ArrayTensor> dict = StateDict.builder(ArrayBackend.instance());
    state
        .entries()
        .forEach(entry -> dict.add(entry.name(), ((Far) entry.tensor()).array(), entry.role()));
    return dict.build();
  }

  private static StateDict<ArrayTensor> copy(StateDict<ArrayTensor> arrays) {
    return ArrayBackend.adapter().copy(arrays);
  }
}
