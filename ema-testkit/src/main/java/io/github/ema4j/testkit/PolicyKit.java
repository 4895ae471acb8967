package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import com.google.common.collect.Lists;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NamePattern;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.SeededModels.Values;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * Checks that entries pair as the strategy says, and are treated as the policy says.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class PolicyKit<M, T> extends RuleKit<M, T> {

  /** If this fails, look at roles: a counter's must not be a statistic's. */
  @Test
  @DisplayName("EMA-P01 By default parameters and statistics are averaged, counters copied")
  protected void defaults() {
    treats(
        EntryPolicy.defaults(),
        entry -> entry.role() == Role.COUNTER ? Treatment.COPY : Treatment.AVERAGE);
  }

  /** If this fails, look at how the adapter tells statistics from parameters. */
  @Test
  @DisplayName("EMA-P02 Statistics are copied where the policy says so")
  protected void copiedStatistics() {
    treats(
        EntryPolicy.defaults().with(Role.STATISTIC, Treatment.COPY),
        entry -> entry.role() == Role.PARAMETER ? Treatment.AVERAGE : Treatment.COPY);
  }

  /** If this fails, look at names: the pattern sees those of the state dict. */
  @Test
  @DisplayName("EMA-P03 A pattern that matches a name decides before the role does")
  protected void patterns() {
    treats(
        EntryPolicy.defaults().with(NamePattern.glob("first.*"), Treatment.COPY),
        entry ->
            entry.name().startsWith("first.") || entry.role() == Role.COUNTER
                ? Treatment.COPY
                : Treatment.AVERAGE);
  }

  /** If this fails, skipped entries are written all the same. */
  @Test
  @DisplayName("EMA-P04 Skipped entries are not kept, and the model's are left alone")
  protected void skippedEntries() {
    StateDict<ArrayTensor> start = filled(models().network(), 1, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(models().network(), 2, Values.ORDINARY);
    M model = model(start);
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    ModelEma<M> ema = average(model, UpdateKit.lerp(0.5).withPolicy(policy));
    write(later, model);

    assertThat(names(ema.state())).noneMatch(name -> name.startsWith("norm.running"));
    ema.copyTo(model);

    for (int i = 0; i < start.entries().size(); i++) {
      boolean skipped = start.entries().get(i).role() == Role.STATISTIC;
      assertThat(bits(model).get(i))
          .as(names(start).get(i))
          .isEqualTo(bits(skipped ? later : start).get(i));
    }
  }

  /** If this fails, a pattern with a slip in it is silently of no effect. */
  @Test
  @DisplayName("EMA-P05 A pattern that matches no entry is refused")
  protected void patternsThatMatchNothing() {
    M model = model(filled(models().network(), 3, Values.ORDINARY));
    EntryPolicy policy = EntryPolicy.defaults().with(NamePattern.glob("fisrt.*"), Treatment.COPY);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> average(model, UpdateKit.lerp(0.5).withPolicy(policy)))
        .withMessageContaining("fisrt.*");
  }

  /** If this fails, one NaN poisons the average for good. */
  @Test
  @DisplayName("EMA-P06 A model with NaN or infinity fails the update, by name, before any write")
  protected void guardFails() {
    for (double odd : new double[] {Double.NaN, Double.NEGATIVE_INFINITY}) {
      StateDict<ArrayTensor> start = filled(models().network(), 4, Values.ORDINARY);
      M model = model(start);
      ModelEma<M> ema = guarded(model, NonFiniteGuard.FAIL);
      write(withLastElement(filled(start, 5, Values.ORDINARY), odd), model);

      assertThatIllegalStateException()
          .isThrownBy(() -> ema.update(model))
          .withMessageContaining("last.weight");
      assertSameBits("the average", bits(ema.state()), bits(start));
      assertThat(ema.progress().updates()).isZero();
    }
  }

  /** If this fails, look at P06. */
  @Test
  @DisplayName(
      "EMA-P07 Where the guard says so, such an update is skipped, counted and made up for")
  protected void guardSkips() {
    StateDict<ArrayTensor> start = filled(models().network(), 6, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(start, 7, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = guarded(model, NonFiniteGuard.SKIP);
    write(withLastElement(filled(start, 8, Values.ORDINARY), Double.NaN), model);
    ema.update(model);
    assertSameBits("the average", bits(ema.state()), bits(start));
    assertThat(ema.progress().skipped()).isEqualTo(1);
    write(later, model);

    ema.update(model);

    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    expected.update(later, 0.25);
    evidence.sameBits(ema.state(), expected.entries());
  }

  /** If this fails, entries are paired by position. */
  @Test
  @DisplayName("EMA-P08 Entries pair by name, in whatever order")
  protected void pairingByName() {
    pairs(
        EmaStrategy.nameMatched(0.5),
        like -> reordered(like, UnaryOperator.identity()),
        "norm.running_var");
  }

  /** If this fails, wrapped models are averaged under other names, or not at all. */
  @Test
  @DisplayName("EMA-P09 Wrapper prefixes that all names have are left out of account")
  protected void wrappedNames() {
    pairs(
        EmaStrategy.nameMatched(0.5),
        like -> reordered(like, name -> "module." + name),
        "module.norm.running_var");
  }

  /** If this fails, entries are paired by name. */
  @Test
  @DisplayName("EMA-P10 Entries pair by position where the strategy says so, whatever the names")
  protected void pairingByPosition() {
    pairs(
        EmaStrategy.ordered(0.5),
        like -> renamed(like, name -> "other." + name),
        "other.last.weight");
  }

  /** If this fails, lists of different entries are zipped. */
  @Test
  @DisplayName("EMA-P11 Models that differ are refused with every difference")
  protected void differences() {
    M model = model(filled(models().network(), 10, Values.ORDINARY));
    M other =
        model(
            StateDict.builder(ArrayBackend.instance())
                .parameter("first.weight", SeededModels.tensor(ElementType.F32, 3, 4))
                .parameter("first.bias", SeededModels.tensor(ElementType.F32, 4))
                .parameter("added.weight", SeededModels.tensor(ElementType.F32, 2))
                .build());
    for (EmaStrategy strategy : List.of(EmaStrategy.nameMatched(0.5), EmaStrategy.ordered(0.5))) {
      ModelEma<M> ema = average(model, UpdateKit.lerp(0.5).withStrategy(strategy));
      List<long[]> before = bits(ema.state());

      assertThatIllegalArgumentException()
          .isThrownBy(() -> ema.update(other))
          .withMessageContaining("first.weight")
          .withMessageContaining("last.weight")
          .withMessageContaining("[4, 3]")
          .withMessageContaining("[3, 4]");
      assertSameBits("the average", bits(ema.state()), before);
    }
  }

  /** If this fails, look at {@code storage} of the two names. */
  @Test
  @Needs(Capability.TIED)
  @DisplayName("EMA-P12 One tensor that would be treated in two ways is refused")
  protected void tiedTensorsAreTreatedAlike() {
    M model = model(filled(models().tied(), 11, Values.ORDINARY));
    EntryPolicy policy = EntryPolicy.defaults().with(NamePattern.glob("head"), Treatment.COPY);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> average(model, UpdateKit.lerp(0.5).withPolicy(policy)))
        .withMessageContaining("embedding")
        .withMessageContaining("head");
  }

  private void treats(EntryPolicy policy, Function<Entry<ArrayTensor>, Treatment> treatments) {
    StateDict<ArrayTensor> start = filled(models().network(), 20, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(start, 21, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, UpdateKit.lerp(0.5).withPolicy(policy));
    write(later, model);

    ema.update(model);

    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP, type -> type, treatments);
    expected.update(later, 0.5);
    evidence.sameBits(ema.state(), expected.entries());
  }

  private ModelEma<M> guarded(M model, NonFiniteGuard guard) {
    return start(ModelEma.builder(adapter()), UpdateKit.lerp(0.5).withGuard(guard), model);
  }

  /** Updates an average with another model, whose entries are the same in another guise. */
  private void pairs(
      EmaStrategy strategy, UnaryOperator<StateDict<ArrayTensor>> guise, String aName) {
    StateDict<ArrayTensor> start = filled(models().network(), 22, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(start, 23, Values.ORDINARY);
    ModelEma<M> ema = average(model(start), UpdateKit.lerp(0.5).withStrategy(strategy));
    StateDict<ArrayTensor> disguised = guise.apply(later);
    assertThat(names(disguised)).contains(aName);

    ema.update(model(disguised));

    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    expected.update(later, 0.5);
    evidence.sameBits(ema.state(), expected.entries());
  }

  static StateDict<ArrayTensor> renamed(StateDict<ArrayTensor> like, UnaryOperator<String> names) {
    return listed(like.entries(), names);
  }

  private static StateDict<ArrayTensor> reordered(
      StateDict<ArrayTensor> like, UnaryOperator<String> names) {
    return listed(Lists.reverse(like.entries()), names);
  }

  private static StateDict<ArrayTensor> listed(
      List<Entry<ArrayTensor>> entries, UnaryOperator<String> names) {
    StateDict.Builder<ArrayTensor> dict = StateDict.builder(ArrayBackend.instance());
    entries.forEach(entry -> dict.add(names.apply(entry.name()), entry.tensor(), entry.role()));
    return dict.build();
  }

  private static StateDict<ArrayTensor> withLastElement(
      StateDict<ArrayTensor> values, double element) {
    ArrayTensor last = values.entries().get(values.entries().size() - 1).tensor();
    float[] array = (float[]) last.array();
    array[array.length - 1] = (float) element;
    return values;
  }
}
