package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.collect.ImmutableList.toImmutableList;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
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
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An average kept in shadow tensors beside the model.
 *
 * <p>Slots are the entries of the model that the average started from; each that is not skipped has
 * a shadow tensor. A {@link Binding} pairs one model with the slots and is kept until the model's
 * state dict says that something moved.
 */
final class ShadowEma<M, T> implements ModelEma<M> {
  private static final Logger LOG = LoggerFactory.getLogger(ModelEma.class);

  private final ModelAdapter<M, T> adapter;
  private final TensorBackend<T> backend;
  private final EmaConfig config;
  private final @Nullable Supplier<M> moduleSupplier;
  private final ImmutableList<Slot> slots;
  private Shadow<T> shadow;
  private M model;
  private boolean deviceNamed;
  private Progress progress = new Progress(0, 0, Double.NaN, 1);
  private boolean closed;
  private @Nullable Binding trained;
  private @Nullable Binding inference;
  private boolean inferenceOwned;
  private @Nullable Shadow<T> backup;
  private @Nullable Shadow<T> rollback;
  private @Nullable Swap swap;

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
    this.deviceNamed = config.device().isPresent();
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
      ema.bind(model).intoAverage().copy();
      if (moduleCopy != null) {
        ema.inference = ema.checkedModule(moduleCopy, false);
      }
    } catch (RuntimeException | Error e) {
      ema.close();
      throw e;
    }
    LOG.debug("Averaging {} entries on '{}': {}", slots.size(), ema.backend.name(), config);
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

  @Override
  public void update(M newModel, long elapsed) {
    requireReady("update the average");
    checkArgument(elapsed >= 1, "elapsed must be at least 1, but was %s", elapsed);
    Progress next = advanced(elapsed);
    bind(newModel).intoAverage().average(next.decay(), config.rule());
    model = newModel;
    progress = next;
  }

  @Override
  public <R> void update(M newModel, Class<R> tensorType, UpdateRule<R> rule) {
    requireReady("update the average");
    checkArgument(
        tensorType.isAssignableFrom(backend.tensorType()),
        "the rule is for %s, but the tensors of backend '%s' are %s",
        tensorType.getName(),
        backend.name(),
        backend.tensorType().getName());
    @SuppressWarnings("unchecked") // a rule for R takes any T, as T is an R
    UpdateRule<T> checked = (UpdateRule<T>) rule;
    Progress next = advanced(1);
    TensorPairs<T, T> plan = bind(newModel).intoAverage();
    if (rollback == null) {
      rollback = Shadow.like(shadow.tensors("average"), shadow.specs());
    }
    TensorPairs<T, T> undo = copying(shadow.tensors("average"), rollback.tensors("rollback"));
    copying(rollback.tensors("rollback"), shadow.tensors("average")).copy();
    try {
      backend.withoutGradient(() -> TensorPairs.apply(plan, checked, next.decay()));
    } catch (RuntimeException | Error e) {
      undo.copy();
      throw e;
    }
    model = newModel;
    progress = next;
  }

  /** Returns the progress after the next update, which has not happened yet. */
  private Progress advanced(long elapsed) {
    long time = Math.addExact(progress.time(), elapsed);
    DecaySchedule schedule = config.strategy().schedule();
    double decay = schedule.decay(time, elapsed);
    checkState(
        decay >= 0 && decay <= 1,
        "the schedule %s gave decay %s at time %s, which is not in [0, 1]",
        schedule,
        decay,
        time);
    return new Progress(progress.updates() + 1, time, decay, progress.startWeight() * decay);
  }

  @Override
  public void set(M newModel) {
    requireReady("set the average");
    bind(newModel).intoAverage().copy();
    model = newModel;
    progress = new Progress(progress.updates(), progress.time(), progress.decay(), 1);
  }

  @Override
  public void load(StateDict<?> state) {
    load(state, new Progress(progress.updates(), progress.time(), progress.decay(), 1));
  }

  @Override
  public void load(StateDict<?> state, Progress newProgress) {
    requireReady("load the average");
    requireNonNull(newProgress, "progress");
    loadFrom(state);
    progress = newProgress;
  }

  private <S> void loadFrom(StateDict<S> state) {
    state.refresh();
    List<Slot> present =
        state.entries().size() == slots.size()
            ? slots
            : slots.stream().filter(Slot::isKept).toList();
    List<Entry<S>> matched =
        EntryMatcher.match(
            config.strategy().pairing(), Leeway.TYPE_AND_DEVICE, present, state.entries(), "state");
    List<Entry<S>> kept = select(present, matched, Slot::isKept);
    copying(shadow.tensors("average"), new Tensors<>("state", state.backend(), kept)).copy();
  }

  @Override
  public void to(Device device) {
    requireReady("move the average");
    Shadow<T> moved =
        Shadow.like(
            shadow.tensors("average"),
            shadow.specs().stream().map(spec -> spec.withDevice(device)).toList());
    try {
      copying(moved.tensors("moved average"), shadow.tensors("average")).copy();
    } catch (RuntimeException | Error e) {
      moved.release();
      throw e;
    }
    releaseAll(shadow, rollback);
    rollback = null;
    shadow = moved;
    deviceNamed = true;
  }

  @Override
  public Swap swapInto(M target) {
    requireReady("swap again");
    Binding binding = bind(target);
    TensorPairs<T, T> averageIn = binding.intoModel();
    Tensors<T> kept = backupFor(binding).tensors("backup");
    TensorPairs<T, T> undo = copying(binding.kept(), kept);
    copying(kept, binding.kept()).copy();
    try {
      averageIn.copy();
    } catch (RuntimeException | Error e) {
      undo.copy();
      throw e;
    }
    OpenSwap opened = new OpenSwap(target);
    swap = opened;
    return opened;
  }

  private Shadow<T> backupFor(Binding binding) {
    List<TensorSpec> wanted = binding.kept().entries().stream().map(Entry::spec).toList();
    if (backup != null && !backup.isLike(binding.kept())) {
      backup.release();
      backup = null;
    }
    if (backup == null) {
      backup = Shadow.like(binding.kept(), wanted);
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
      Shadow<T> weights = backup;
      if (swap != this || weights == null) {
        return;
      }
      Binding binding;
      TensorPairs<T, T> weightsIn;
      try {
        binding = bind(target);
        weightsIn = copying(binding.kept(), weights.tensors("backup"));
      } catch (IllegalArgumentException e) {
        throw new IllegalStateException(
            "the model changed during the swap, so its weights cannot be put back; undo the change"
                + " and close the swap again: "
                + e.getMessage(),
            e);
      }
      for (int i = 0; i < weights.entries().size(); i++) {
        Entry<T> now = binding.kept().entries().get(i);
        ElementType before = weights.entries().get(i).spec().type();
        checkState(
            now.spec().type() == before,
            "'%s' changed from %s to %s during the swap, so its weights cannot be put back; change"
                + " it back and close the swap again",
            now.name(),
            before,
            now.spec().type());
      }
      weightsIn.copy();
      swap = null;
    }
  }

  @Override
  public void copyTo(M target, double factor) {
    requireReady("copy the average");
    Checks.decay("factor", factor);
    Binding binding = bind(target);
    if (factor == 1) {
      binding.intoModel().copy();
      return;
    }
    if (factor == 0) {
      return;
    }
    Predicate<Slot> moves =
        slot -> slot.treatment() == Treatment.AVERAGE && slot.modelSpec().type().isFloating();
    List<Entry<T>> averages = select(keptSlots(), shadow.entries(), moves);
    List<Entry<T>> models = select(keptSlots(), binding.kept().entries(), moves);
    TensorPairs.of(
            new Tensors<>("model", backend, models),
            new Tensors<>("average", backend, averages),
            Collections.nCopies(models.size(), Treatment.AVERAGE))
        .moveTowards(factor);
  }

  @Override
  public M module() {
    requireOpen();
    if (inference == null) {
      inference =
          moduleSupplier == null
              ? checkedModule(adapter.copy(model), true)
              : suppliedModule(moduleSupplier.get());
      inferenceOwned = true;
    }
    Binding current = current(inference, Leeway.TYPE_AND_DEVICE, "module");
    inference = current;
    TensorPairs<T, T> averageIn = current.intoModel();
    copying(current.skipped(), boundModel().skipped()).copy();
    averageIn.copy();
    return current.model;
  }

  private Binding suppliedModule(M copy) {
    checkNotTrained(copy);
    return checkedModule(copy, adapter.initializeLike(copy, model));
  }

  /**
   * Binds a copy of the model, and puts it into evaluation mode once it is known to be a copy.
   *
   * @param ours whether the adapter made its tensors, so that they are freed if it is refused;
   *     other tensors may be the user's own
   */
  private Binding checkedModule(M copy, boolean ours) {
    @Nullable Binding binding = null;
    try {
      checkNotTrained(copy);
      binding = new Binding(copy, Leeway.TYPE_AND_DEVICE, "module");
      TensorPairs.checkApart(binding.all(), boundModel().all());
      adapter.evaluationMode(copy);
      return binding;
    } catch (RuntimeException | Error e) {
      if (binding != null) {
        binding.dict.close();
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
    checkState(swap == null, "cannot close the average during a swap; close the swap first");
    if (closed) {
      return;
    }
    closed = true;
    releaseAll(shadow, backup, rollback);
    if (inference != null) {
      inference.dict.close();
      if (inferenceOwned) {
        adapter.releaseCopy(inference.model);
      }
    }
    if (trained != null) {
      trained.dict.close();
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

  private void requireReady(String action) {
    requireOpen();
    checkState(
        swap == null, "cannot %s while it is swapped into a model; close the swap first", action);
  }

  /** Returns the pairing with a model, anew where the model is another or has moved. */
  private Binding bind(M newModel) {
    Leeway leeway = Leeway.of(config.shadowType().isNamed(), deviceNamed);
    Binding binding;
    if (trained != null && trained.model == newModel) {
      binding = current(trained, leeway, "model");
    } else {
      binding = new Binding(newModel, leeway, "model");
      if (trained != null) {
        trained.dict.close();
      }
    }
    trained = binding;
    return binding;
  }

  private Binding boundModel() {
    return bind(model);
  }

  /** Returns a binding as it is, or made anew where the model or the shadow moved. */
  private Binding current(Binding binding, Leeway leeway, String owner) {
    boolean moved = binding.dict.refresh();
    if (!moved && !binding.stale && binding.shadowThen == shadow) {
      return binding;
    }
    binding.stale = true;
    Binding fresh = new Binding(binding.model, leeway, owner);
    binding.dict.close();
    return fresh;
  }

  private List<Slot> keptSlots() {
    return slots.stream().filter(Slot::isKept).toList();
  }

  private static <S, R> TensorPairs<S, R> copying(Tensors<S> to, Tensors<R> from) {
    return TensorPairs.of(to, from, Collections.nCopies(to.entries().size(), Treatment.COPY));
  }

  private static <S> List<Entry<S>> select(
      List<Slot> slots, List<Entry<S>> entries, Predicate<Slot> wanted) {
    List<Entry<S>> selected = new ArrayList<>();
    for (int i = 0; i < slots.size(); i++) {
      if (wanted.test(slots.get(i))) {
        selected.add(entries.get(i));
      }
    }
    return selected;
  }

  /** The pairing of one model with the slots. */
  private final class Binding {
    final M model;
    final StateDict<T> dict;
    final Shadow<T> shadowThen = shadow;
    private final String owner;
    private final List<Entry<T>> matched;
    private @Nullable TensorPairs<T, T> intoAverage;
    private @Nullable TensorPairs<T, T> intoModel;
    boolean stale;

    Binding(M model, Leeway leeway, String owner) {
      this.model = model;
      this.owner = owner;
      dict = adapter.stateDict(model);
      try {
        matched =
            EntryMatcher.match(config.strategy().pairing(), leeway, slots, dict.entries(), owner);
        TensorPairs.checkTies(all(), slots.stream().map(Slot::treatment).toList());
        TensorPairs.checkApart(shadow.tensors("average"), kept());
      } catch (RuntimeException | Error e) {
        dict.close();
        throw e;
      }
    }

    Tensors<T> kept() {
      return new Tensors<>(owner, backend, select(slots, matched, Slot::isKept));
    }

    Tensors<T> skipped() {
      return new Tensors<>(owner, backend, select(slots, matched, slot -> !slot.isKept()));
    }

    Tensors<T> all() {
      return new Tensors<>(owner, backend, matched);
    }

    TensorPairs<T, T> intoAverage() {
      if (intoAverage == null) {
        intoAverage = TensorPairs.of(shadow.tensors("average"), kept(), treatments());
      }
      return intoAverage;
    }

    TensorPairs<T, T> intoModel() {
      if (intoModel == null) {
        intoModel = TensorPairs.of(kept(), shadow.tensors("average"), treatments());
      }
      return intoModel;
    }

    private List<Treatment> treatments() {
      return keptSlots().stream().map(Slot::treatment).toList();
    }
  }
}
