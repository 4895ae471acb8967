package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaBank;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import io.github.ema4j.Swap;
import io.github.ema4j.Timing;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.SeededModels.Values;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * Checks what happens to an average and its model from start to close, and in a swap.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class LifecycleKit<M, T> extends RuleKit<M, T> {
  private static final double DECAY = 0.75;

  /** If this fails, look at {@code allocate}: it must not hand out the model's memory. */
  @Test
  @DisplayName("EMA-L01 An average starts as a copy of the model, in memory of its own")
  protected void startsAsACopy() {
    StateDict<ArrayTensor> start = filled(models().network(), 1, Values.SPECIAL);
    M model = model(start);
    ModelEma<M> ema = average(model, UpdateKit.lerp(DECAY));
    assertThat(names(ema.state())).isEqualTo(names(start));
    assertSameBits("the average", bits(ema.state()), bits(start));

    write(filled(start, 2, Values.ORDINARY), model);

    assertSameBits("the average, after the model moved", bits(ema.state()), bits(start));
  }

  /** If this fails, look at layouts of the backup, and at writes to a copy. */
  @Test
  @DisplayName(
      "EMA-L02 A swap gives the model the averaged weights, and then its own to the last bit")
  protected void swaps() {
    Trained<M> trained = trained(3, Values.SPECIAL);
    List<long[]> average = bits(trained.ema.state());

    Swap swap = trained.ema.swapInto(trained.model);
    assertThat(trained.ema.swapped()).isTrue();
    assertSameBits("the model in the swap", bits(trained.model), average);
    swap.close();

    assertThat(trained.ema.swapped()).isFalse();
    assertSameBits("the model after the swap", bits(trained.model), bits(trained.values));
    assertSameBits("the average", bits(trained.ema.state()), average);
  }

  /** If this fails, closing restores what was changed only in part, or not at all. */
  @Test
  @DisplayName("EMA-L03 Weights that an evaluation wrote before it failed are put right too")
  protected void swapsThatFail() {
    Trained<M> trained = trained(5, Values.ORDINARY);
    IllegalStateException failure = new IllegalStateException("the evaluation failed");

    assertThatThrownBy(
            () -> {
              try (Swap swap = trained.ema.swapInto(trained.model)) {
                assertThat(swap).isNotNull();
                write(filled(trained.values, 60, Values.ORDINARY), trained.model);
                throw failure;
              }
            })
        .isSameAs(failure);

    assertSameBits("the model", bits(trained.model), bits(trained.values));
  }

  /** If this fails, a swap can be trained on, saved or lost. */
  @Test
  @DisplayName("EMA-L04 While swapped, nothing moves the average, and it cannot be closed")
  protected void nothingMovesWhileSwapped() {
    Trained<M> trained = trained(7, Values.ORDINARY);
    List<long[]> average = bits(trained.ema.state());

    try (Swap swap = trained.ema.swapInto(trained.model)) {
      assertThatIllegalStateException().isThrownBy(() -> trained.ema.update(trained.model));
      assertThatIllegalStateException().isThrownBy(() -> trained.ema.set(trained.model));
      assertThatIllegalStateException().isThrownBy(() -> trained.ema.load(trained.values));
      assertThatIllegalStateException().isThrownBy(() -> trained.ema.copyTo(trained.model));
      assertThatIllegalStateException().isThrownBy(() -> trained.ema.swapInto(trained.model));
      assertThatIllegalStateException().isThrownBy(trained.ema::close);
      assertThat(swap).isNotNull();
      assertSameBits("the average", bits(trained.ema.state()), average);
    }
    assertSameBits("the model", bits(trained.model), bits(trained.values));
  }

  /** If this fails, look at what {@code memory} gives for the model's tensors. */
  @Test
  @DisplayName("EMA-L05 Copying out overwrites the model with the average")
  protected void copiesOut() {
    Trained<M> trained = trained(9, Values.SPECIAL);

    trained.ema.copyTo(trained.model);

    assertSameBits("the model", bits(trained.model), bits(trained.ema.state()));
  }

  /** If this fails, look at L05. */
  @Test
  @DisplayName("EMA-L06 Copying out by a factor moves the model by lerp, counters apart")
  protected void movesTowardsTheAverage() {
    Trained<M> trained = trained(11, Values.ORDINARY);
    OracleAverage expected = new OracleAverage(trained.values, AveragingRule.LERP);
    List<long[]> average = bits(trained.ema.state());

    trained.ema.copyTo(trained.model, 0.25);

    for (int k = 0; k < average.size(); k++) {
      OracleAverage.Values entry = expected.entries().get(k);
      for (int i = 0; i < entry.bits().length && entry.type().isFloating(); i++) {
        entry.bits()[i] =
            new Oracle(AveragingRule.LERP, 0.75)
                .update(entry.type(), entry.bits()[i], entry.type(), average.get(k)[i]);
      }
    }
    evidence.sameBits(view(trained.model), expected.entries());
  }

  /** If this fails, look at {@code copy}, or at what {@code initializeLike} does to a new model. */
  @Test
  @DisplayName(
      "EMA-L07 The module is a model of its own that has the averaged weights at each call")
  protected void modules() {
    Trained<M> trained = trained(13, Values.ORDINARY);
    M module = trained.ema.module();
    assertThat(module).isNotSameAs(trained.model);
    assertSameBits("the module", bits(module), bits(trained.ema.state()));
    StateDict<ArrayTensor> later = filled(trained.values, 14, Values.ORDINARY);
    write(later, trained.model);
    trained.ema.update(trained.model);

    assertThat(trained.ema.module()).isSameAs(module);
    assertSameBits("the module, later", bits(module), bits(trained.ema.state()));
    assertSameBits("the model", bits(trained.model), bits(later));
  }

  /** If this fails, look at {@code release}: of the average's tensors, and of no others. */
  @Test
  @DisplayName("EMA-L08 Closing frees the average's tensors and leaves the model's")
  protected void closingFrees() {
    StateDict<ArrayTensor> values = filled(models().network(), 15, Values.ORDINARY);
    M model = model(values);
    ModelEma<M> ema = average(model, UpdateKit.lerp(DECAY));
    ema.update(model);
    ema.swapInto(model).close();
    StateDict<?> state = ema.state();

    ema.close();
    ema.close();

    assertThatIllegalStateException().isThrownBy(() -> bits(state));
    assertSameBits("the model", bits(model), bits(values));
    assertThatIllegalStateException().isThrownBy(() -> ema.update(model));
    assertThatIllegalStateException().isThrownBy(() -> ema.swapInto(model));
    assertThatIllegalStateException().isThrownBy(ema::state);
    assertThat(ema.progress().updates()).isEqualTo(1);
  }

  /** If this fails, look at how tensors of another backend are read. */
  @Test
  @DisplayName("EMA-L09 An average is loaded from another backend's state")
  protected void loads() {
    Trained<M> trained = trained(17, Values.ORDINARY);
    StateDict<ArrayTensor> state = filled(trained.values, 18, Values.SPECIAL);

    trained.ema.load(state);

    assertSameBits("the average", bits(trained.ema.state()), bits(state));
  }

  /** If this fails, a resumed run goes another way than one that was not interrupted. */
  @Test
  @DisplayName("EMA-L10 A run that was resumed goes on to the same bits")
  protected void resumes() {
    Trained<M> trained = trained(19, Values.ORDINARY);
    Progress progress = trained.ema.progress();
    M other = model(filled(models().network(), 20, Values.ORDINARY));
    ModelEma<M> resumed = average(other, UpdateKit.lerp(DECAY));
    try (StateDict<?> snapshot = trained.ema.snapshot()) {
      resumed.load(snapshot, progress);
    }
    StateDict<ArrayTensor> later = filled(trained.values, 21, Values.ORDINARY);
    write(later, trained.model);
    write(later, other);

    trained.ema.update(trained.model);
    resumed.update(other);

    assertSameBits("the resumed average", bits(resumed.state()), bits(trained.ema.state()));
    assertThat(resumed.progress()).isEqualTo(trained.ema.progress());
  }

  /** If this fails, some tensors were written before all were checked. */
  @Test
  @DisplayName("EMA-L11 An update that fails leaves the average as it was")
  protected void updatesThatFail() {
    Trained<M> trained = trained(22, Values.ORDINARY);
    List<long[]> average = bits(trained.ema.state());
    Progress progress = trained.ema.progress();
    M other =
        model(
            StateDict.builder(ArrayBackend.instance())
                .parameter("first.weight", SeededModels.tensor(ElementType.F32, 4, 3))
                .build());

    assertThatIllegalArgumentException().isThrownBy(() -> trained.ema.update(other));
    assertThatIllegalArgumentException().isThrownBy(() -> trained.ema.swapInto(other));
    assertThatIllegalArgumentException().isThrownBy(() -> trained.ema.update(trained.model, 0));

    assertSameBits("the average", bits(trained.ema.state()), average);
    assertThat(trained.ema.progress()).isEqualTo(progress);
  }

  /** If this fails, a snapshot changes with the average or dies with it. */
  @Test
  @DisplayName("EMA-L12 A snapshot stays as it was, and lives until it is closed")
  protected void snapshots() {
    StateDict<ArrayTensor> start = filled(models().network(), 24, Values.SPECIAL);
    M model = model(start);
    ModelEma<M> ema = average(model, UpdateKit.lerp(DECAY));
    StateDict<?> snapshot = ema.snapshot();
    write(filled(start, 25, Values.ORDINARY), model);
    ema.update(model);
    ema.close();

    assertSameBits("the snapshot", bits(snapshot), bits(start));
    snapshot.close();
    assertThatIllegalStateException().isThrownBy(() -> bits(snapshot));
  }

  /** If this fails, look at how often the average is really updated. */
  @Test
  @DisplayName("EMA-L13 An average updated every k steps counts the time between")
  protected void everyFewSteps() {
    StateDict<ArrayTensor> start = filled(models().network(), 26, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema =
        average(model, UpdateKit.lerp(0.5).withTiming(Timing.EVERY_STEP.withEvery(3)));
    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    for (int step = 1; step <= 6; step++) {
      StateDict<ArrayTensor> values = filled(start, 26 + step, Values.ORDINARY);
      write(values, model);
      ema.update(model);
      if (step % 3 == 0) {
        expected.update(values, 0.125);
      }
      evidence.sameBits(ema.state(), expected.entries());
    }
    assertThat(ema.progress().updates()).isEqualTo(2);
    assertThat(ema.progress().time()).isEqualTo(6);
  }

  /** If this fails, averages of one bank share memory, or one gets another's decay. */
  @Test
  @DisplayName("EMA-L14 Averages that are updated together are as if updated apart")
  protected void banks() {
    StateDict<ArrayTensor> start = filled(models().network(), 34, Values.ORDINARY);
    M model = model(start);
    EmaBank<M> bank =
        EmaBank.builder(adapter())
            .config(UpdateKit.lerp(0.5))
            .average("slow", DecaySchedule.constant(0.9))
            .average("fast", DecaySchedule.constant(0.25))
            .build(model);
    later(bank::close);
    List<ModelEma<M>> apart =
        List.of(average(model, UpdateKit.lerp(0.9)), average(model, UpdateKit.lerp(0.25)));
    for (int step = 1; step <= 3; step++) {
      write(filled(start, 34 + step, Values.ORDINARY), model);
      bank.update(model);
      apart.forEach(ema -> ema.update(model));
    }

    assertSameBits("fast", bits(bank.average("fast").state()), bits(apart.get(1).state()));
    assertSameBits("slow", bits(bank.average("slow").state()), bits(apart.get(0).state()));
  }

  /** If this fails, look at {@code releaseCopy} and {@code evaluationMode}. */
  @Test
  @Needs(Capability.COPY)
  @DisplayName("EMA-L15 A copy in evaluation mode keeps its values until it is released")
  protected void evaluationModeKeepsValues() {
    StateDict<ArrayTensor> values = filled(models().network(), 38, Values.SPECIAL);
    M model = model(values);
    M copy = adapter().copy(model);
    adapter().evaluationMode(copy);
    assertSameBits("the copy", bits(copy), bits(values));
    T tensor = view(copy).entries().get(0).tensor();

    adapter().releaseCopy(copy);

    assertThat(isFreed(tensor)).as("a tensor of the copy is closed, or has no elements").isTrue();
    assertSameBits("the model", bits(model), bits(values));
  }

  private boolean isFreed(T tensor) {
    try {
      return backend().describe(tensor).elements() == 0;
    } catch (IllegalStateException e) {
      return true;
    }
  }

  /** If this fails, the average is lost or half moved. */
  @Test
  @DisplayName("EMA-L16 An average that cannot move to a device stays where and as it is")
  protected void movesThatFail() {
    Trained<M> trained = trained(40, Values.ORDINARY);
    List<long[]> average = bits(trained.ema.state());

    assertThatThrownBy(() -> trained.ema.to(new Device("nowhere", 1)))
        .isInstanceOf(UnsupportedOperationException.class);

    assertSameBits("the average", bits(trained.ema.state()), average);
    trained.ema.update(trained.model);
  }

  /** A model with its present values, whose average has seen one update. */
  private record Trained<M>(M model, StateDict<ArrayTensor> values, ModelEma<M> ema) {}

  private Trained<M> trained(long seed, Values magnitudes) {
    StateDict<ArrayTensor> start = filled(models().network(), seed, magnitudes);
    M model = model(start);
    ModelEma.Builder<M> builder = ModelEma.builder(adapter());
    if (!has(Capability.COPY)) {
      builder.module(() -> subject().newModel(start));
    }
    ModelEma<M> ema = start(builder, UpdateKit.lerp(DECAY).withGuard(NonFiniteGuard.ACCEPT), model);
    StateDict<ArrayTensor> values = filled(start, seed + 1, magnitudes);
    write(values, model);
    ema.update(model);
    return new Trained<>(model, values, ema);
  }
}
