package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.collect.ImmutableList.toImmutableList;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.Checks;
import io.github.ema4j.internal.EntryMatcher;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An average kept in shadow tensors beside the model.
 *
 * <p>Slots are the entries of the model that the average started from; each that is not skipped has
 * a shadow tensor. A {@link ModelBinding} pairs one model with the slots and is kept until
 * something moves. Calls exclude one another; only copies of the shadow are made beside them.
 */
final class ShadowEma<M, T> implements ModelEma<M> {
  private static final Logger LOG = LoggerFactory.getLogger(ModelEma.class);

  private final ModelAdapter<M, T> adapter;
  private final TensorBackend<T> backend;
  private final EmaConfig config;
  private final @Nullable Supplier<M> moduleSupplier;
  private final ImmutableList<Slot> slots;
  private final UpdateClock clock;
  private final UpdateWarnings warnings;
  private final AtomicBoolean inUse = new AtomicBoolean();

  /** Held while the shadow is written, or copied by another thread. */
  private final ReentrantLock shadowLock = new ReentrantLock();

  private Shadow<T> shadow;
  private M model;
  private boolean deviceNamed;
  private volatile Progress progress = Progress.START;
  private boolean closed;
  private @Nullable ModelBinding<M, T> trained;
  private @Nullable ModelBinding<M, T> inference;
  private boolean inferenceOwned;
  private @Nullable Shadow<T> backup;
  private @Nullable Shadow<T> rollback;
  private volatile @Nullable Swap swap;

  private ShadowEma(
      ModelAdapter<M, T> adapter,
      EmaConfig config,
      @Nullable Supplier<M> moduleSupplier,
      ImmutableList<Slot> slots,
      Shadow<T> shadow,
      M model) {
    this.adapter = adapter;
    this.backend = adapter.backend();
    this.config = config;
    this.moduleSupplier = moduleSupplier;
    this.slots = slots;
    this.shadow = shadow;
    this.model = model;
    deviceNamed = config.device().isPresent();
    clock = new UpdateClock(config.timing(), config.strategy().schedule());
    warnings = new UpdateWarnings(config.rule(), config.canary(), averagedTypes(slots, shadow));
  }

  static <M, T> ShadowEma<M, T> start(
      ModelAdapter<M, T> adapter,
      EmaConfig config,
      @Nullable Supplier<M> moduleSupplier,
      @Nullable M moduleCopy,
      M model) {
    ImmutableList<Slot> slots;
    Shadow<T> shadow;
    try (StateDict<T> dict = adapter.stateDict(model)) {
      checkArgument(!dict.entries().isEmpty(), "the model has no entries to average");
      slots = dict.entries().stream().map(entry -> slot(entry, config)).collect(toImmutableList());
      checkPatternsMatch(config.policy(), slots);
      checkArgument(
          slots.stream().anyMatch(Slot::isKept),
          "the policy %s skips every entry of the model",
          config.policy());
      List<Entry<T>> kept = select(slots, dict.entries(), Slot::isKept);
      shadow =
          Shadow.like(
              new Tensors<>("model", adapter.backend(), kept),
              slots.stream().filter(Slot::isKept).map(slot -> shadowSpec(slot, config)).toList());
    }
    ShadowEma<M, T> ema = new ShadowEma<>(adapter, config, moduleSupplier, slots, shadow, model);
    try {
      ema.copyFrom(model);
      if (moduleCopy != null) {
        ema.inference = ema.checkedModule(moduleCopy, false);
      }
    } catch (RuntimeException | Error e) {
      ema.close();
      throw e;
    }
    LOG.info("Averaging {} entries on '{}': {}", slots.size(), ema.backend.name(), config);
    return ema;
  }

  private static Slot slot(Entry<?> entry, EmaConfig config) {
    Treatment treatment =
        config.policy().treatment(entry.name(), entry.role(), entry.spec().type());
    return new Slot(entry.name(), entry.spec(), treatment);
  }

  private static void checkPatternsMatch(EntryPolicy policy, List<Slot> slots) {
    for (EntryPolicy.PatternRule rule : policy.patterns()) {
      checkArgument(
          slots.stream().anyMatch(slot -> rule.pattern().matches(slot.name())),
          "the policy's %s matches none of the model's %s entries, whose names are like '%s'; correct"
              + " or remove it",
          rule.pattern(),
          slots.size(),
          slots.get(0).name());
    }
  }

  private static TensorSpec shadowSpec(Slot slot, EmaConfig config) {
    TensorSpec spec = slot.modelSpec();
    ElementType type =
        slot.treatment() == Treatment.AVERAGE ? config.shadowType().of(spec.type()) : spec.type();
    return spec.withType(type).withDevice(config.device().orElse(spec.device()));
  }

  /** Returns the types in which floating-point entries are averaged. */
  private static Set<ElementType> averagedTypes(List<Slot> slots, Shadow<?> shadow) {
    List<Slot> kept = slots.stream().filter(Slot::isKept).toList();
    return select(kept, shadow.specs(), slot -> slot.treatment() == Treatment.AVERAGE).stream()
        .map(TensorSpec::type)
        .filter(ElementType::isFloating)
        .collect(Collectors.toUnmodifiableSet());
  }

  /** What moves an average to where an update leaves it. */
  private interface Move<L> {
    void run(TensorPairs<L, L>.Opened tensors, double decay);
  }

  @Override
  public void update(M newModel) {
    checkState(
        config.timing().clock() == Clock.STEPS,
        "the clock counts samples; call update(model, samples)");
    update(newModel, 1);
  }

  @Override
  public void update(M newModel, long elapsed) {
    checkArgument(elapsed >= 1, "elapsed must be at least 1, but was %s", elapsed);
    exclusively(
        "update the average",
        () -> update(newModel, elapsed, (tensors, decay) -> tensors.average(decay, config.rule())));
  }

  @Override
  public <R> void update(M newModel, Class<R> tensorType, UpdateRule<R> rule) {
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
    exclusively(
        "update the average",
        () -> update(newModel, 1, (tensors, decay) -> applyOrUndo(checked, tensors, decay)));
  }

  private void update(M newModel, long elapsed, Move<T> move) {
    checkNotOwnModule(newModel);
    Progress called = clock.called(progress, elapsed);
    if (!clock.isDue(called)) {
      progress = called;
      return;
    }
    Progress updated = clock.updated(called);
    TensorPairs<T, T>.Opened tensors = bind(newModel).intoAverage().open();
    if (isToBeSkipped(tensors)) {
      progress = called.withSkipped();
      return;
    }
    move.run(tensors, updated.decay());
    warnings.updated(tensors::fingerprint, updated.decay());
    model = newModel;
    progress = updated;
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
    Optional<String> entry = tensors.nonFiniteEntry();
    if (entry.isPresent() && config.guard() == NonFiniteGuard.SKIP) {
      LOG.warn("Skipped an update: '{}' of the model has NaN or infinity", entry.get());
      return true;
    }
    entry.ifPresent(ShadowEma::failNonFinite);
    return false;
  }

  private static void failNonFinite(String entry) {
    throw new IllegalStateException(
        "'"
            + entry
            + "' of the model has NaN or infinity, so the average was left as it was; go back to"
            + " finite weights, or set the guard to SKIP or ACCEPT");
  }

  private void applyOrUndo(UpdateRule<T> rule, TensorPairs<T, T>.Opened tensors, double decay) {
    if (rollback == null) {
      rollback = Shadow.like(shadow.tensors("average"), shadow.specs());
    }
    TensorPairs<T, T> undo = copying(shadow.tensors("average"), rollback.tensors("rollback"));
    copying(rollback.tensors("rollback"), shadow.tensors("average")).copy();
    try {
      backend.withoutGradient(
          () -> tensors.apply((average, from) -> rule.apply(average, from, decay)));
    } catch (RuntimeException | Error e) {
      undo(undo, e);
      throw e;
    }
  }

  /** Puts back what was there before a failure, which stays the one to be told. */
  private static void undo(TensorPairs<?, ?> undo, Throwable failure) {
    try {
      undo.copy();
    } catch (RuntimeException | Error e) {
      failure.addSuppressed(e);
    }
  }

  @Override
  public void set(M newModel) {
    exclusively(
        "set the average",
        () -> {
          copyFrom(newModel);
          progress = progress.restarted();
        });
  }

  private void checkNotOwnModule(M newModel) {
    checkArgument(
        inference == null || newModel != inference.model(),
        "the model is the average's own module; pass the model that is trained");
  }

  /** Makes the average a copy of a model, which must be finite unless the guard accepts all. */
  private void copyFrom(M newModel) {
    checkNotOwnModule(newModel);
    TensorPairs<T, T>.Opened tensors = bind(newModel).intoAverage().open();
    if (config.guard() != NonFiniteGuard.ACCEPT) {
      tensors.nonFiniteEntry().ifPresent(ShadowEma::failNonFinite);
    }
    tensors.copy();
    warnings.started(tensors::fingerprint);
    model = newModel;
  }

  @Override
  public void load(StateDict<?> state) {
    exclusively("load the average", () -> loadFrom(state, progress.restarted()));
  }

  @Override
  public void load(StateDict<?> state, Progress newProgress) {
    requireNonNull(newProgress, "progress");
    exclusively("load the average", () -> loadFrom(state, newProgress));
  }

  private <S> void loadFrom(StateDict<S> state, Progress newProgress) {
    state.refresh();
    List<Slot> present =
        state.entries().size() == slots.size()
            ? slots
            : slots.stream().filter(Slot::isKept).toList();
    List<Entry<S>> matched =
        EntryMatcher.match(
            config.strategy().pairing(), Leeway.TYPE_AND_DEVICE, present, state.entries(), "state");
    Tensors<S> kept =
        new Tensors<>("state", state.backend(), select(present, matched, Slot::isKept));
    Tensors<T> average = shadow.tensors("average");
    if (!average.areTheSameAs(kept)) {
      TensorPairs.checkApart(average, kept);
      copying(average, kept).copy();
    }
    progress = newProgress;
  }

  @Override
  public void to(Device device) {
    exclusively("move the average", () -> moveTo(device));
  }

  private void moveTo(Device device) {
    deviceNamed = true;
    if (shadow.specs().stream().allMatch(spec -> spec.device().equals(device))) {
      return;
    }
    Shadow<T> moved =
        copyOfShadow(shadow.specs().stream().map(spec -> spec.withDevice(device)).toList());
    releaseAll(shadow, rollback);
    rollback = null;
    shadow = moved;
  }

  private Shadow<T> copyOfShadow(List<TensorSpec> specs) {
    Shadow<T> copy = Shadow.like(shadow.tensors("average"), specs);
    try {
      copying(copy.tensors("copy of the average"), shadow.tensors("average")).copy();
      return copy;
    } catch (RuntimeException | Error e) {
      copy.release();
      throw e;
    }
  }

  @Override
  public StateDict<?> snapshot() {
    shadowLock.lock();
    try {
      requireOpen();
      Shadow<T> copy = copyOfShadow(shadow.specs());
      return new OwnedStateDict<>(backend, copy.entries(), copy::release);
    } finally {
      shadowLock.unlock();
    }
  }

  @Override
  public Swap swapInto(M target) {
    return exclusively("swap in the average", () -> openSwap(target));
  }

  private Swap openSwap(M target) {
    ModelBinding<M, T> binding = bind(target);
    TensorPairs<T, T> averageIn = binding.intoModel();
    Tensors<T> kept = backupFor(binding).tensors("backup");
    TensorPairs<T, T> undo = copying(binding.kept(), kept);
    copying(kept, binding.kept()).copy();
    try {
      averageIn.copy();
    } catch (RuntimeException | Error e) {
      undo(undo, e);
      throw e;
    }
    Swap opened = new OpenSwap(target);
    swap = opened;
    return opened;
  }

  private Shadow<T> backupFor(ModelBinding<M, T> binding) {
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

  /** The swap that is open until it is closed. */
  private final class OpenSwap implements Swap {
    private final M target;

    OpenSwap(M target) {
      this.target = target;
    }

    @Override
    public void close() {
      whileInUse("put the model's weights back", this::restore);
    }

    private @Nullable Void restore() {
      Shadow<T> weights = backup;
      if (swap != this || weights == null) {
        return null;
      }
      TensorPairs<T, T>.Opened weightsIn;
      try {
        ModelBinding<M, T> binding = bind(target);
        checkSameTypes(weights, binding.kept());
        weightsIn = copying(binding.kept(), weights.tensors("backup")).open();
      } catch (IllegalArgumentException e) {
        throw new IllegalStateException(
            "the model changed during the swap, so its weights cannot be put back; undo the change"
                + " and close the swap again: "
                + e.getMessage(),
            e);
      } catch (IllegalStateException e) {
        swap = null;
        throw new IllegalStateException(
            "the model was closed during the swap, and its own weights are lost with it: "
                + e.getMessage(),
            e);
      }
      weightsIn.copy();
      swap = null;
      return null;
    }

    private void checkSameTypes(Shadow<T> weights, Tensors<T> now) {
      for (int i = 0; i < weights.entries().size(); i++) {
        ElementType before = weights.entries().get(i).spec().type();
        Entry<T> entry = now.entries().get(i);
        checkArgument(
            entry.spec().type() == before,
            "'%s' was %s and is %s now",
            entry.name(),
            before,
            entry.spec().type());
      }
    }
  }

  @Override
  public void copyTo(M target, double factor) {
    Checks.decay("factor", factor);
    exclusively("copy the average", () -> moveTowardsAverage(target, factor));
  }

  private void moveTowardsAverage(M target, double factor) {
    ModelBinding<M, T> binding = bind(target);
    if (factor == 1) {
      binding.intoModel().copy();
      return;
    }
    if (factor == 0) {
      return;
    }
    Predicate<Slot> moves =
        slot -> slot.treatment() == Treatment.AVERAGE && slot.modelSpec().type().isFloating();
    List<Slot> kept = slots.stream().filter(Slot::isKept).toList();
    List<Entry<T>> averages = select(kept, shadow.entries(), moves);
    List<Entry<T>> models = select(kept, binding.kept().entries(), moves);
    TensorPairs.of(
            new Tensors<>("model", backend, models),
            new Tensors<>("average", backend, averages),
            Collections.nCopies(models.size(), Treatment.AVERAGE))
        .open()
        .moveTowards(factor);
  }

  @Override
  public M module() {
    return whileInUse("bring the module up to date", this::currentModule);
  }

  private M currentModule() {
    requireOpen();
    ModelBinding<M, T> binding = inference;
    if (binding == null) {
      binding =
          moduleSupplier == null
              ? checkedModule(adapter.copy(model), true)
              : suppliedModule(moduleSupplier.get());
      inferenceOwned = true;
    } else {
      binding = current(binding, Leeway.TYPE_AND_DEVICE, "module");
    }
    inference = binding;
    TensorPairs<T, T> averageIn = binding.intoModel();
    copying(binding.skipped(), bind(model).skipped()).copy();
    averageIn.copy();
    return binding.model();
  }

  private ModelBinding<M, T> suppliedModule(M copy) {
    checkNotTrained(copy);
    return checkedModule(copy, adapter.initializeLike(copy, model));
  }

  /**
   * Binds a copy of the model, and puts it into evaluation mode once it is known to be a copy.
   *
   * @param ours whether the adapter made its tensors, so that they are freed if it is refused;
   *     other tensors may be the user's own
   */
  private ModelBinding<M, T> checkedModule(M copy, boolean ours) {
    @Nullable ModelBinding<M, T> binding = null;
    try {
      checkNotTrained(copy);
      binding = binding(copy, Leeway.TYPE_AND_DEVICE, "module");
      TensorPairs.checkApart(binding.all(), bind(model).all());
      adapter.evaluationMode(copy);
      return binding;
    } catch (RuntimeException | Error e) {
      if (binding != null) {
        binding.close();
      }
      if (ours) {
        adapter.releaseCopy(copy);
      }
      throw e;
    }
  }

  private void checkNotTrained(M copy) {
    checkArgument(
        copy != model, "the module must be a copy of the model, but it is the model itself");
  }

  @Override
  public StateDict<?> state() {
    requireOpen();
    return new FixedStateDict<>(backend, shadow.entries());
  }

  @Override
  public Progress progress() {
    return progress;
  }

  @Override
  public boolean swapped() {
    return swap != null;
  }

  @Override
  public void close() {
    whileInUse("close the average", this::free);
  }

  private @Nullable Void free() {
    checkState(swap == null, "cannot close the average during a swap; close the swap first");
    if (closed) {
      return null;
    }
    closed = true;
    List<Runnable> steps = new ArrayList<>();
    steps.add(() -> releaseAll(shadow));
    steps.add(() -> releaseAll(backup));
    steps.add(() -> releaseAll(rollback));
    if (inference != null) {
      ModelBinding<M, T> made = inference;
      steps.add(made::close);
      if (inferenceOwned) {
        steps.add(() -> adapter.releaseCopy(made.model()));
      }
    }
    if (trained != null) {
      steps.add(trained::close);
    }
    runAll(steps);
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

  @SafeVarargs
  private static <T> void releaseAll(@Nullable Shadow<T>... shadows) {
    for (Shadow<T> each : shadows) {
      if (each != null) {
        each.release();
      }
    }
  }

  private void requireOpen() {
    checkState(!closed, "the average is closed");
  }

  private void exclusively(String action, Runnable work) {
    exclusively(
        action,
        () -> {
          work.run();
          return this;
        });
  }

  /** Does work that is allowed on an open average outside a swap. */
  private <V> V exclusively(String action, Supplier<V> work) {
    return whileInUse(
        action,
        () -> {
          requireOpen();
          checkState(
              swap == null,
              "cannot %s while it is swapped into a model; close the swap first",
              action);
          return work.get();
        });
  }

  /**
   * Does work that no other call interrupts.
   *
   * @throws IllegalStateException if another call is under way
   */
  private <V extends @Nullable Object> V whileInUse(String action, Supplier<V> work) {
    checkState(
        inUse.compareAndSet(false, true),
        "cannot %s while another call on the average is under way; use it from one thread at a time",
        action);
    shadowLock.lock();
    try {
      return work.get();
    } finally {
      shadowLock.unlock();
      inUse.set(false);
    }
  }

  /** Returns the pairing with a model, anew where the model is another or has moved. */
  private ModelBinding<M, T> bind(M newModel) {
    requireNonNull(newModel, "model");
    Leeway leeway = Leeway.of(config.shadowType().isNamed(), deviceNamed);
    ModelBinding<M, T> bound;
    if (trained != null && trained.model() == newModel) {
      bound = current(trained, leeway, "model");
    } else {
      bound = binding(newModel, leeway, "model");
      if (trained != null) {
        trained.close();
      }
    }
    trained = bound;
    return bound;
  }

  /** Returns a binding as it is, or made anew where the model or the shadow moved. */
  private ModelBinding<M, T> current(ModelBinding<M, T> binding, Leeway leeway, String owner) {
    if (binding.isCurrent(shadow)) {
      return binding;
    }
    ModelBinding<M, T> fresh = binding(binding.model(), leeway, owner);
    binding.close();
    return fresh;
  }

  private ModelBinding<M, T> binding(M bound, Leeway leeway, String owner) {
    Pairing pairing = config.strategy().pairing();
    return new ModelBinding<>(adapter, bound, owner, pairing, leeway, slots, shadow);
  }

  private static <S, R> TensorPairs<S, R> copying(Tensors<S> to, Tensors<R> from) {
    return TensorPairs.of(to, from, Collections.nCopies(to.entries().size(), Treatment.COPY));
  }

  private static <S> List<S> select(List<Slot> slots, List<S> items, Predicate<Slot> wanted) {
    List<S> selected = new ArrayList<>();
    for (int i = 0; i < slots.size(); i++) {
      if (wanted.test(slots.get(i))) {
        selected.add(items.get(i));
      }
    }
    return selected;
  }
}
