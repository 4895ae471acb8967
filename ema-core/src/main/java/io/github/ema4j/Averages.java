package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.Blend;
import io.github.ema4j.internal.EntryMatcher;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The engine: averages of one model that are updated together, kept in shadow tensors beside it.
 *
 * <p>Slots are the entries of the model that the averages started from; each that is not skipped
 * has a tensor in every {@link Member}'s shadow. A {@link ModelBinding} pairs one model with the
 * slots and is kept until something moves.
 */
final class Averages<M, T> {
  private static final Logger LOG = LoggerFactory.getLogger(ModelEma.class);

  private final ModelAdapter<M, T> adapter;
  private final TensorBackend<T> backend;
  private final @Nullable Supplier<M> moduleSupplier;
  private final ImmutableList<Member<M, T>> members;
  private final CallGate gate = new CallGate();

  private EmaConfig config;
  private ImmutableList<Slot> slots;
  private ImmutableList<Slot> others;
  private UpdateWarnings warnings;
  private ImmutableList<Shadow<T>> shadows;
  private Blend blend;
  private M model;
  private boolean deviceNamed;
  private @Nullable ModelBinding<M, T> trained;
  private @Nullable Shadow<T> backup;

  private Averages(
      ModelAdapter<M, T> adapter, Setup<T> setup, @Nullable Supplier<M> moduleSupplier, M model) {
    this.adapter = adapter;
    this.backend = adapter.backend();
    this.config = setup.config();
    this.moduleSupplier = moduleSupplier;
    this.slots = setup.slots();
    this.others = setup.others();
    this.model = model;
    deviceNamed = config.device().isPresent();
    warnings = setup.warnings();
    ImmutableList.Builder<Member<M, T>> made = ImmutableList.builder();
    for (int i = 0; i < setup.shadows().size(); i++) {
      made.add(new Member<>(this, i, setup.clock(i), setup.shadows().get(i)));
    }
    members = made.build();
    shadows = setup.shadows();
    blend = blend();
  }

  /**
   * Starts an average for each schedule, as copies of a model.
   *
   * @param config everything but the schedules
   * @param moduleCopy what {@link Average#module} of the first average is to use
   */
  static <M, T> Averages<M, T> start(
      ModelAdapter<M, T> adapter,
      EmaConfig config,
      List<DecaySchedule> schedules,
      @Nullable Supplier<M> moduleSupplier,
      @Nullable M moduleCopy,
      M model) {
    Setup<T> setup = Setup.of(adapter, config, schedules, model);
    Averages<M, T> averages = new Averages<>(adapter, setup, moduleSupplier, model);
    try {
      averages.copyFrom(model);
      if (moduleCopy != null) {
        averages.members.get(0).useModule(moduleCopy);
      }
    } catch (RuntimeException | Error e) {
      averages.close();
      throw e;
    }
    return averages;
  }

  /**
   * Logs that the averages have started.
   *
   * @param as the whole configuration, all schedules in it
   */
  void logStart(Object as) {
    LOG.info("Averaging {} entries on '{}': {}", slots.size(), backend.name(), as);
  }

  ImmutableList<Member<M, T>> members() {
    return members;
  }

  ModelAdapter<M, T> adapter() {
    return adapter;
  }

  TensorBackend<T> backend() {
    return backend;
  }

  EmaConfig config() {
    return config;
  }

  /** Returns the device that the averages stay on; empty if they are where the model is. */
  Optional<Device> device() {
    return deviceNamed
        ? members.get(0).shadow().specs().stream().map(TensorSpec::device).findFirst()
        : Optional.empty();
  }

  ImmutableList<Slot> slots() {
    return slots;
  }

  /** Returns the entries that are in other shards of the model, if these are averages of one. */
  ImmutableList<Slot> others() {
    return others;
  }

  CallGate gate() {
    return gate;
  }

  /** Returns the model that was seen last. */
  M model() {
    return model;
  }

  @Nullable Supplier<M> moduleSupplier() {
    return moduleSupplier;
  }

  private Blend blend() {
    return Blend.ofAverages(config.rule(), config.flushSubnormals(), members.size());
  }

  void update(M newModel) {
    checkState(
        config.timing().clock() == Clock.STEPS,
        "the clock counts samples; call update(model, samples)");
    update(newModel, 1);
  }

  void update(M newModel, long elapsed) {
    checkArgument(elapsed >= 1, "elapsed must be at least 1, but was %s", elapsed);
    update(newModel, elapsed, null);
  }

  <R> void update(M newModel, Class<R> tensorType, UpdateRule<R> rule) {
    checkArgument(
        tensorType.isAssignableFrom(backend.tensorType()),
        "the rule is for %s, but the tensors of backend '%s' are %s",
        tensorType.getName(),
        backend.name(),
        backend.tensorType().getName());
    requireNonNull(rule, "rule");
    checkState(
        config.timing().clock() == Clock.STEPS,
        "the clock counts samples, but an update with a rule takes one step");
    @SuppressWarnings("unchecked") // a rule for R takes any T, as T is an R
    UpdateRule<T> checked = (UpdateRule<T>) rule;
    update(newModel, 1, checked);
  }

  private void update(M newModel, long elapsed, @Nullable UpdateRule<T> rule) {
    gate.begin("update the average");
    try {
      checkNotOwnModule(newModel);
      for (int i = 0; i < members.size(); i++) {
        members.get(i).call(elapsed);
      }
      if (members.get(0).isDue()) { // members differ in their decays alone
        updateOrSkip(newModel, elapsed, rule);
      }
      for (int i = 0; i < members.size(); i++) {
        members.get(i).moveOn();
      }
    } finally {
      gate.end();
    }
  }

  private void updateOrSkip(M newModel, long elapsed, @Nullable UpdateRule<T> rule) {
    for (int i = 0; i < members.size(); i++) {
      blend.set(i, members.get(i).update());
    }
    TensorPairs<T, T>.Opened tensors = bind(newModel).intoAverages().open();
    if (isToBeSkipped(tensors)) {
      members.forEach(member -> member.skip(elapsed));
      return;
    }
    if (rule == null) {
      tensors.average(blend);
    } else {
      applyOrUndo(rule, tensors);
    }
    warnings.updated(tensors, blend);
    model = newModel;
  }

  /**
   * Looks for values that are not finite.
   *
   * @throws IllegalStateException if there are some and the guard says to fail, naming the entry
   */
  private boolean isToBeSkipped(TensorPairs<T, T>.Opened tensors) {
    if (config.guard() == NonFiniteGuard.ACCEPT) {
      return false;
    }
    Optional<String> entry = nonFiniteEntry(tensors);
    if (entry.isPresent() && config.guard() == NonFiniteGuard.SKIP) {
      LOG.warn("Skipped an update: '{}' of the model has NaN or infinity", entry.get());
      return true;
    }
    entry.ifPresent(Averages::failNonFinite);
    return false;
  }

  private Optional<String> nonFiniteEntry(TensorPairs<T, ?>.Opened tensors) {
    return tensors.nonFiniteEntry(config.guard() != NonFiniteGuard.FAIL_ON_HOST);
  }

  private static void failNonFinite(String entry) {
    throw new IllegalStateException(
        "'"
            + entry
            + "' of the model has NaN or infinity, so the average was left as it was; go back to"
            + " finite weights, or set the guard to SKIP or ACCEPT");
  }

  private void applyOrUndo(UpdateRule<T> rule, TensorPairs<T, T>.Opened tensors) {
    List<TensorPairs<T, T>> undo = members.stream().map(Member::keptForUndo).toList();
    shadows.forEach(Shadow::share);
    try {
      backend.withoutGradient(
          () ->
              tensors.apply(
                  (member, average, from) -> rule.apply(average, from, blend.decay(member))));
    } catch (RuntimeException | Error e) {
      undo.forEach(each -> undo(each, e));
      throw e;
    }
  }

  /** Puts back what was there before a failure, which stays the one to be told. */
  static void undo(TensorPairs<?, ?> undo, Throwable failure) {
    try {
      undo.copy();
    } catch (RuntimeException | Error e) {
      failure.addSuppressed(e);
    }
  }

  void set(M newModel) {
    gate.exclusively(
        "set the average",
        () -> {
          copyFrom(newModel);
          members.forEach(member -> member.note(member.progress().restarted()));
        });
  }

  private void checkNotOwnModule(M newModel) {
    for (int i = 0; i < members.size(); i++) {
      checkArgument(
          !members.get(i).hasModule(newModel),
          "the model is the average's own module; pass the model that is trained");
    }
  }

  /** Makes the averages copies of a model, which must be finite unless the guard accepts all. */
  private void copyFrom(M newModel) {
    checkNotOwnModule(newModel);
    TensorPairs<T, T>.Opened tensors = bind(newModel).intoAverages().open();
    checkFinite(tensors);
    tensors.copy();
    warnings.started(tensors);
    model = newModel;
  }

  /**
   * Checks what an average is to start from, unless the guard accepts all.
   *
   * @throws IllegalStateException if it has values that are not finite
   */
  void checkFinite(TensorPairs<T, ?>.Opened tensors) {
    if (config.guard() != NonFiniteGuard.ACCEPT) {
      nonFiniteEntry(tensors).ifPresent(Averages::failNonFinite);
    }
  }

  void load(int member, StateDict<?> state, Progress progress) {
    requireNonNull(progress, "progress");
    gate.exclusively("load the average", () -> loadInto(members.get(member), state, progress));
  }

  private <S> void loadInto(Member<M, T> member, StateDict<S> state, Progress progress) {
    state.refresh();
    loading(slots, others, member.shadow(), config.strategy().pairing(), state)
        .ifPresent(TensorPairs::copy);
    member.note(progress);
  }

  /**
   * Pairs a shadow with a state dict that it is to be written from, or with its shard of that.
   *
   * @return empty if they are the same tensors
   */
  <S> Optional<TensorPairs<T, S>> loading(
      List<Slot> all, List<Slot> others, Shadow<T> shadow, Pairing pairing, StateDict<S> state) {
    List<Entry<S>> entries = EntryMatcher.without(others, all, state.entries());
    List<Slot> present =
        entries.size() == all.size() ? all : all.stream().filter(Slot::isKept).toList();
    List<Entry<S>> matched =
        EntryMatcher.match(pairing, Leeway.TYPE_AND_DEVICE, present, entries, "state");
    Tensors<S> kept =
        new Tensors<>("state", state.backend(), Slot.select(present, matched, Slot::isKept));
    Tensors<T> average = shadow.tensors("average");
    if (average.areTheSameAs(kept)) {
      return Optional.empty();
    }
    TensorPairs.checkApart(average, kept);
    return Optional.of(TensorPairs.loading(average, kept));
  }

  /** Returns what would make these averages anew with another configuration. */
  Setup<T> setup(EmaConfig newConfig, List<DecaySchedule> schedules) {
    return Setup.of(adapter, newConfig, schedules, model);
  }

  /** Takes what {@link #setup} returned; the shadows that there were are freed. */
  void take(Setup<T> setup) {
    config = setup.config();
    slots = setup.slots();
    others = setup.others();
    warnings = setup.warnings();
    for (int i = 0; i < members.size(); i++) {
      members.get(i).take(setup.clock(i), setup.shadows().get(i));
    }
    shadows = setup.shadows();
    blend = blend();
  }

  /** Takes note of what the model is now, whose weights were loaded with the averages. */
  void modelLoaded() {
    warnings.started(bind(model).intoAverages().open());
  }

  void to(Device device) {
    gate.exclusively("move the average", () -> moveTo(device));
  }

  private void moveTo(Device device) {
    List<TensorSpec> specs = members.get(0).shadow().specs();
    if (specs.stream().anyMatch(spec -> !spec.device().equals(device))) {
      Setup.checkCanFlush(config, backend, device);
      List<TensorSpec> wanted = specs.stream().map(spec -> spec.withDevice(device)).toList();
      List<Shadow<T>> moved = new ArrayList<>();
      try {
        members.forEach(member -> moved.add(member.shadow().copy(wanted)));
      } catch (RuntimeException | Error e) {
        moved.forEach(Shadow::release);
        throw e;
      }
      for (int i = 0; i < moved.size(); i++) {
        members.get(i).moveTo(moved.get(i));
      }
      shadows = ImmutableList.copyOf(moved);
    }
    deviceNamed = true;
  }

  /** Returns memory like a model's, in which its weights are kept during a swap. */
  Shadow<T> backupFor(ModelBinding<M, T> binding) {
    if (backup != null && !backup.isLike(binding.kept())) {
      backup.release();
      backup = null;
    }
    if (backup == null) {
      backup =
          Shadow.like(binding.kept(), binding.kept().entries().stream().map(Entry::spec).toList());
    }
    return backup;
  }

  /** Returns the pairing with a model, anew where the model is another or has moved. */
  ModelBinding<M, T> bind(M newModel) {
    requireNonNull(newModel, "model");
    Leeway leeway = Leeway.of(config.shadowType().isNamed(), deviceNamed);
    ModelBinding<M, T> bound;
    if (trained != null && trained.model() == newModel) {
      bound = current(trained, leeway, "model", shadows);
    } else {
      bound = binding(newModel, leeway, "model", shadows);
      if (trained != null) {
        trained.close();
      }
    }
    trained = bound;
    return bound;
  }

  /** Returns a binding as it is, or made anew where the model or a shadow moved. */
  ModelBinding<M, T> current(
      ModelBinding<M, T> binding, Leeway leeway, String owner, List<Shadow<T>> shadows) {
    if (binding.isCurrent(shadows)) {
      return binding;
    }
    ModelBinding<M, T> fresh = binding(binding.model(), leeway, owner, shadows);
    binding.close();
    return fresh;
  }

  ModelBinding<M, T> binding(M bound, Leeway leeway, String owner, List<Shadow<T>> shadows) {
    Pairing pairing = config.strategy().pairing();
    return new ModelBinding<>(adapter, bound, owner, pairing, leeway, slots, shadows);
  }

  void close() {
    gate.whileInUse("close the average", this::free);
  }

  private @Nullable Void free() {
    if (gate.close()) {
      List<Runnable> steps = new ArrayList<>();
      members.forEach(member -> member.collectFreeing(steps));
      if (backup != null) {
        steps.add(backup::release);
      }
      if (trained != null) {
        steps.add(trained::close);
      }
      runAll(steps);
    }
    return null;
  }

  /** Runs all steps, even if some fail, and then throws the first failure. */
  private static void runAll(List<Runnable> steps) {
    @Nullable RuntimeException failure = null;
    for (Runnable step : steps) {
      try {
        step.run();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
