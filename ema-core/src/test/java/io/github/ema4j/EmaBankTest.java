package io.github.ema4j;

import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.HandleBackend.Handle;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.SeededTensors;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EmaBankTest {
  private static final ImmutableMap<String, DecaySchedule> SCHEDULES =
      ImmutableMap.of(
          "fast", DecaySchedule.constant(0.25),
          "slow", DecaySchedule.constant(0.99),
          "mean", DecaySchedule.uniformMean());

  private final StateDict<ArrayTensor> model = model("w", 0);

  @ParameterizedTest
  @EnumSource
  void itsAveragesAreToTheBitWhatEachWouldBeAlone(AveragingRule rule) {
    Random random = new Random(1);
    StateDict<ArrayTensor> all = SeededTensors.ofAllTypes(random);
    EmaConfig config =
        EmaConfig.defaults()
            .withRule(rule)
            .withPolicy(EntryPolicy.defaults().with(Role.COUNTER, Treatment.AVERAGE))
            .withTiming(new Timing(Clock.STEPS, 2, 1));
    Map<String, ModelEma<StateDict<ArrayTensor>>> alone = new LinkedHashMap<>();
    SCHEDULES.forEach(
        (name, schedule) ->
            alone.put(
                name,
                ModelEma.builder(ArrayBackend.adapter())
                    .config(config.withStrategy(EmaStrategy.nameMatched(0).scheduled(schedule)))
                    .build(all)));
    try (EmaBank<StateDict<ArrayTensor>> bank = bank(config).build(all)) {
      for (int step = 0; step < 20; step++) {
        SeededTensors.refill(all, random);
        bank.update(all);
        alone.values().forEach(ema -> ema.update(all));
      }
      alone.forEach(
          (name, ema) -> {
            SeededTensors.assertSameBits(bank.average(name).state(), ema.state(), name);
            assertThat(bank.average(name).progress()).isEqualTo(ema.progress());
            ema.close();
          });
    }
  }

  @Test
  void memoryInSegmentsIsAveragedAlike() {
    HandleBackend handles = new HandleBackend();
    Handle weights = HandleBackend.handle(new float[10]);
    StateDict<Handle> segmented = StateDict.builder(handles).parameter("w", weights).build();
    StateDict<ArrayTensor> whole = model("w", new float[10]);
    try (EmaBank<StateDict<Handle>> bank = bank(EmaConfig.defaults(), handles).build(segmented);
        EmaBank<StateDict<ArrayTensor>> other = bank(EmaConfig.defaults()).build(whole)) {
      for (int i = 0; i < 10; i++) {
        ((float[]) weights.array().array())[i] = i + 1;
        floats(whole)[i] = i + 1;
      }
      bank.update(segmented);
      other.update(whole);
      bank.averages()
          .forEach(
              (name, average) ->
                  assertThat(floats(average.state()))
                      .containsExactly(floats(other.average(name).state())));
    }
    assertThat(handles.live()).isZero();
  }

  @Test
  void whileOneIsSwappedInNoneIsWrittenOrSwapped() {
    try (EmaBank<StateDict<ArrayTensor>> bank = bank(EmaConfig.defaults()).build(model)) {
      floats(model)[0] = 1;
      bank.update(model);
      try (Swap fast = bank.average("fast").swapInto(model)) {
        assertThat(fast).isNotNull();
        assertThat(floats(model)).containsExactly(0.75f);
        assertThat(bank.average("fast").swapped()).isTrue();
        assertThat(bank.average("slow").swapped()).isFalse();
        String remedy = "while it is swapped into a model; close the swap first";
        assertThatIllegalStateException()
            .isThrownBy(() -> bank.average("slow").swapInto(model))
            .withMessage("cannot swap in the average " + remedy);
        assertThatIllegalStateException()
            .isThrownBy(() -> bank.update(model))
            .withMessage("cannot update the average " + remedy);
        assertThatIllegalStateException().isThrownBy(() -> bank.set(model));
        assertThatIllegalStateException().isThrownBy(() -> bank.to(Device.CPU));
        assertThatIllegalStateException().isThrownBy(bank::close);
        assertThatIllegalStateException()
            .isThrownBy(() -> bank.load("slow", model, Progress.START));
        assertThat(floats(model)).containsExactly(0.75f);
      }
      assertThat(bank.average("fast").swapped()).isFalse();
      assertThat(floats(model)).containsExactly(1);
      try (Swap swap = bank.average("mean").swapInto(model)) {
        assertThat(swap).isNotNull();
        assertThat(bank.average("fast").swapped()).isFalse();
        assertThat(bank.average("mean").swapped()).isTrue();
      }
    }
  }

  @Test
  void aFailedUpdateChangesNoneOfThem() {
    EmaBank.Builder<StateDict<ArrayTensor>> builder =
        EmaBank.builder(ArrayBackend.adapter())
            .average("good", DecaySchedule.constant(0.5))
            .average("bad", (time, elapsed) -> time < 2 ? 0.5 : 7);
    try (EmaBank<StateDict<ArrayTensor>> bank = builder.build(model)) {
      floats(model)[0] = 1;
      bank.update(model);
      assertThatIllegalStateException()
          .isThrownBy(() -> bank.update(model))
          .withMessageContaining("gave decay 7.0 at time 2");
      floats(model)[0] = Float.NaN;
      assertThatIllegalStateException().isThrownBy(() -> bank.update(model));
      bank.averages()
          .forEach(
              (name, average) -> {
                assertThat(floats(average.state())).as(name).containsExactly(0.5f);
                assertThat(average.progress().updates()).as(name).isEqualTo(1);
              });
    }
  }

  @Test
  void aSkippedUpdateCountsInEach() {
    EmaConfig skipping = EmaConfig.defaults().withGuard(NonFiniteGuard.SKIP);
    try (EmaBank<StateDict<ArrayTensor>> bank = bank(skipping).build(model)) {
      floats(model)[0] = Float.POSITIVE_INFINITY;
      bank.update(model);
      assertThat(bank.averages().values())
          .allSatisfy(average -> assertThat(average.progress().skipped()).isEqualTo(1));
    }
  }

  @Test
  void timeInSamplesIsGivenToAll() {
    EmaConfig samples =
        EmaConfig.defaults().withTiming(new Timing(Clock.SAMPLES, 1, 1)).withCanary(false);
    try (EmaBank<StateDict<ArrayTensor>> bank =
        EmaBank.builder(ArrayBackend.adapter())
            .config(samples)
            .average("4", DecaySchedule.halfLife(4))
            .average("8", DecaySchedule.halfLife(8))
            .build(model)) {
      floats(model)[0] = 1;
      bank.update(model, 8);
      assertThat(floats(bank.average("4").state())).containsExactly(0.75f);
      assertThat(floats(bank.average("8").state())).containsExactly(0.5f);
    }
  }

  @Test
  void eachHasAModuleOfItsOwn() {
    try (EmaBank<StateDict<ArrayTensor>> bank = bank(EmaConfig.defaults()).build(model)) {
      floats(model)[0] = 1;
      bank.update(model);
      assertThat(floats(bank.average("fast").module())).containsExactly(0.75f);
      assertThat(floats(bank.average("mean").module())).containsExactly(1);
      assertThat(floats(bank.average("fast").module())).containsExactly(0.75f);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> bank.update(bank.average("mean").module()))
          .withMessageContaining("own module");
    }
  }

  @Test
  void aSupplierIsAskedForEachModule() {
    try (EmaBank<StateDict<ArrayTensor>> bank =
        bank(EmaConfig.defaults()).module(() -> model("w", 5)).build(model)) {
      StateDict<ArrayTensor> module = bank.average("fast").module();
      assertThat(bank.average("slow").module()).isNotSameAs(module);
      assertThat(floats(module)).containsExactly(0);
    }
  }

  @Test
  void setAndLoadGoOnAsTheySay() {
    try (EmaBank<StateDict<ArrayTensor>> bank = bank(EmaConfig.defaults()).build(model);
        EmaBank<StateDict<ArrayTensor>> resumed = bank(EmaConfig.defaults()).build(model)) {
      for (int step = 1; step <= 3; step++) {
        floats(model)[0] = step;
        bank.update(model);
      }
      bank.averages()
          .forEach((name, average) -> resumed.load(name, average.state(), average.progress()));
      floats(model)[0] = 9;
      bank.update(model);
      resumed.update(model);
      bank.averages()
          .forEach(
              (name, average) ->
                  assertThat(floats(resumed.average(name).state()))
                      .as(name)
                      .containsExactly(floats(average.state())));
      bank.set(model);
      assertThat(floats(bank.average("slow").state())).containsExactly(9);
    }
  }

  @Test
  void allMoveTogetherAndEverythingIsFreed() {
    HandleBackend handles = new HandleBackend();
    StateDict<Handle> near =
        StateDict.builder(handles).parameter("w", HandleBackend.handle(1)).build();
    EmaBank<StateDict<Handle>> bank = bank(EmaConfig.defaults(), handles).build(near);
    bank.to(HandleBackend.FAR);
    bank.update(near);
    assertThat(bank.averages().values())
        .allSatisfy(
            average ->
                assertThat(average.state().entries().get(0).spec().device())
                    .isEqualTo(HandleBackend.FAR));
    bank.average("fast").swapInto(near).close();
    bank.average("slow").module();
    bank.close();
    bank.close();
    assertThat(handles.live()).isZero();
    assertThatIllegalStateException()
        .isThrownBy(() -> bank.average("fast").state())
        .withMessage("the average is closed");
  }

  @Test
  void aBankThatFindsNoRoomAllocatesNothingAndOneThatCannotMoveStaysAsItWas() {
    HandleBackend handles = new HandleBackend();
    StateDict<Handle> near =
        StateDict.builder(handles).parameter("w", HandleBackend.handle(1)).build();
    handles.failAfter(2);
    assertThatIllegalStateException()
        .isThrownBy(() -> bank(EmaConfig.defaults(), handles).build(near))
        .withMessage("out of memory");
    assertThat(handles.live()).isZero();

    handles.failAfter(SCHEDULES.size() + 2);
    try (EmaBank<StateDict<Handle>> bank = bank(EmaConfig.defaults(), handles).build(near)) {
      assertThatIllegalStateException().isThrownBy(() -> bank.to(HandleBackend.FAR));
      assertThat(handles.live()).isEqualTo(SCHEDULES.size());
      assertThat(bank.average("mean").state().entries().get(0).spec().device())
          .isEqualTo(Device.CPU);
      bank.update(near);
    }
    assertThat(handles.live()).isZero();
  }

  @Test
  void badInputIsNamed() {
    EmaBank.Builder<StateDict<ArrayTensor>> empty = EmaBank.builder(ArrayBackend.adapter());
    assertThatIllegalStateException()
        .isThrownBy(() -> empty.build(model))
        .withMessage("a bank needs averages; name each with its schedule");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> empty.average("", DecaySchedule.constant(0.5)))
        .withMessage("an average must have a name, but it was empty");
    EmaBank.Builder<StateDict<ArrayTensor>> full = bank(EmaConfig.defaults());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> full.average("fast", DecaySchedule.constant(0.5)))
        .withMessage("there is an average 'fast' already");
    try (EmaBank<StateDict<ArrayTensor>> bank = full.build(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> bank.average("fsat"))
          .withMessage("the bank has no average 'fsat', only [fast, slow, mean]");
      assertThatThrownBy(() -> bank.load("fsat", model, Progress.START))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private static EmaBank.Builder<StateDict<ArrayTensor>> bank(EmaConfig config) {
    EmaBank.Builder<StateDict<ArrayTensor>> builder =
        EmaBank.builder(ArrayBackend.adapter()).config(config);
    SCHEDULES.forEach(builder::average);
    return builder;
  }

  private static EmaBank.Builder<StateDict<Handle>> bank(EmaConfig config, HandleBackend backend) {
    EmaBank.Builder<StateDict<Handle>> builder = EmaBank.builder(backend.adapter()).config(config);
    SCHEDULES.forEach(builder::average);
    return builder;
  }
}
