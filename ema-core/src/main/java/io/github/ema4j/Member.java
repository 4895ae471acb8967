package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.Checks;
import io.github.ema4j.internal.DriftMeter;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.util.Collections;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One of the averages that are updated together: its shadow, how far it has come, and all that
 * reads it.
 */
final class Member<M, T> implements Average<M> {
  private final Averages<M, T> averages;
  private final int index;
  private UpdateClock clock;
  private Shadow<T> shadow;
  private final MovingProgress progress = new MovingProgress(Progress.START); // guarded by itself
  private final MovingProgress next = new MovingProgress(Progress.START);
  private volatile @Nullable Swap swap;
  private @Nullable ModelBinding<M, T> inference;
  private boolean inferenceOwned;
  private @Nullable Shadow<T> rollback;

  Member(Averages<M, T> averages, int index, UpdateClock clock, Shadow<T> shadow) {
    this.averages = averages;
    this.index = index;
    this.clock = clock;
    this.shadow = shadow;
  }

  UpdateClock clock() {
    return clock;
  }

  Shadow<T> shadow() {
    return shadow;
  }

  @Override
  public Progress progress() {
    synchronized (progress) {
      return progress.now();
    }
  }

  void note(Progress newProgress) {
    synchronized (progress) {
      progress.set(newProgress);
    }
  }

  /** Counts a call of update; what comes of it is not seen before {@link #moveOn}. */
  void call(long elapsed) {
    next.set(progress); // written by calls alone, which exclude one another
    clock.call(next, elapsed);
  }

  /** Tells whether the call is to update the average. */
  boolean isDue() {
    return clock.isDue(next);
  }

  /**
   * Moves on to after the update.
   *
   * @return its decay
   * @throws IllegalStateException if the schedule gives a decay that is not in [0, 1]
   */
  double update() {
    clock.update(next);
    return next.decay;
  }

  /** Counts the call as one whose update was left out; its time is pending. */
  void skip(long elapsed) {
    call(elapsed);
    next.skipped++;
  }

  /** Has come as far as the call has led. */
  void moveOn() {
    synchronized (progress) {
      progress.set(next);
    }
  }

  /** Takes another shadow, and frees the one before. */
  void moveTo(Shadow<T> moved) {
    shadow.release();
    shadow = moved;
    if (rollback != null) {
      rollback.release();
      rollback = null;
    }
  }

  /** Takes another clock and another shadow, and frees the shadow before. */
  void take(UpdateClock newClock, Shadow<T> newShadow) {
    clock = newClock;
    moveTo(newShadow);
  }

  /** Keeps the average as it is, and returns what puts it back. */
  TensorPairs<T, T> keptForUndo() {
    if (rollback == null) {
      rollback = Shadow.like(shadow.tensors("average"), shadow.specs());
    }
    Tensors<T> kept = rollback.tensors("rollback");
    TensorPairs<T, T> undo = TensorPairs.copying(shadow.tensors("average"), kept);
    TensorPairs.copying(kept, shadow.tensors("average")).copy();
    return undo;
  }

  @Override
  public StateDict<?> state() {
    averages.gate().requireOpen();
    return new FixedStateDict<>(averages.backend(), shadow.share());
  }

  @Override
  public StateDict<?> snapshot() {
    return averages
        .gate()
        .betweenCalls(
            () -> {
              Shadow<T> copy = shadow.copy(shadow.specs());
              return new OwnedStateDict<>(averages.backend(), copy.entries(), copy::release);
            });
  }

  @Override
  public void copyTo(M target, double factor) {
    Checks.decay("factor", factor);
    averages.gate().exclusively("copy the average", () -> moveTowardsAverage(target, factor));
  }

  private void moveTowardsAverage(M target, double factor) {
    ModelBinding<M, T> binding = averages.bind(target);
    if (factor == 1) {
      binding.intoModel(index).copy();
      return;
    }
    if (factor == 0) {
      return;
    }
    TensorPairs<T, T> pairs =
        TensorPairs.of(
            averagedModel(binding),
            averagedShadow(),
            Collections.nCopies(averagedShadow().entries().size(), Treatment.AVERAGE));
    try {
      pairs.open().moveTowards(factor);
    } finally {
      pairs.release();
    }
  }

  /** Returns what is averaged, of a floating type. */
  private Tensors<T> averagedShadow() {
    return averaged("average", shadow.entries());
  }

  /** Returns the model's side of {@link #averagedShadow}. */
  private Tensors<T> averagedModel(ModelBinding<M, T> binding) {
    return averaged("model", binding.kept().entries());
  }

  private Tensors<T> averaged(String owner, List<Entry<T>> kept) {
    List<Slot> slots = averages.slots().stream().filter(Slot::isKept).toList();
    Predicate<Slot> isAveraged =
        slot -> slot.treatment() == Treatment.AVERAGE && slot.modelSpec().type().isFloating();
    return new Tensors<>(owner, averages.backend(), Slot.select(slots, kept, isAveraged));
  }

  @Override
  public Drift drift(M model) {
    return averages
        .gate()
        .exclusively(
            "measure the drift",
            () -> DriftMeter.measure(averagedShadow(), averagedModel(averages.bind(model))));
  }

  @Override
  public boolean swapped() {
    Swap own = swap;
    return own != null && averages.gate().swap() == own;
  }

  @Override
  public Swap swapInto(M target) {
    return averages.gate().exclusively("swap in the average", () -> openSwap(target));
  }

  private Swap openSwap(M target) {
    ModelBinding<M, T> binding = averages.bind(target);
    TensorPairs<T, T> averageIn = binding.intoModel(index);
    Shadow<T> weights = averages.backupFor(binding);
    Tensors<T> kept = weights.tensors("backup");
    TensorPairs<T, T> undo = TensorPairs.copying(binding.kept(), kept);
    TensorPairs.copying(kept, binding.kept()).copy();
    try {
      averageIn.copy();
    } catch (RuntimeException | Error e) {
      Averages.undo(undo, e);
      throw e;
    }
    Swap opened = new OpenSwap(target, weights);
    swap = opened;
    averages.gate().swapOpened(opened);
    return opened;
  }

  /** The swap that is open until it is closed. */
  private final class OpenSwap implements Swap {
    private final M target;
    private final Shadow<T> weights;

    OpenSwap(M target, Shadow<T> weights) {
      this.target = target;
      this.weights = weights;
    }

    @Override
    public void close() {
      averages.gate().whileInUse("put the model's weights back", this::restore);
    }

    private @Nullable Void restore() {
      if (averages.gate().swap() != this) {
        return null;
      }
      TensorPairs<T, T>.Opened weightsIn;
      try {
        ModelBinding<M, T> binding = averages.bind(target);
        checkSameTypes(binding.kept());
        weightsIn = TensorPairs.copying(binding.kept(), weights.tensors("backup")).open();
      } catch (IllegalArgumentException e) {
        throw new IllegalStateException(
            "the model changed during the swap, so its weights cannot be put back; undo the change"
                + " and close the swap again: "
                + e.getMessage(),
            e);
      } catch (IllegalStateException e) {
        averages.gate().swapClosed();
        throw new IllegalStateException(
            "the model was closed during the swap, and its own weights are lost with it: "
                + e.getMessage(),
            e);
      }
      weightsIn.copy();
      averages.gate().swapClosed();
      return null;
    }

    private void checkSameTypes(Tensors<T> now) {
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
  public M module() {
    return averages.gate().whileInUse("bring the module up to date", this::currentModule);
  }

  /** Takes a copy of the model, which stays the caller's, as the module. */
  void useModule(M copy) {
    inference = checkedModule(copy, false);
  }

  boolean hasModule(M candidate) {
    return inference != null && inference.model() == candidate;
  }

  private M currentModule() {
    averages.gate().requireOpen();
    ModelBinding<M, T> binding = inference;
    if (binding == null) {
      Supplier<M> supplier = averages.moduleSupplier();
      binding =
          supplier == null
              ? checkedModule(averages.adapter().copy(averages.model()), true)
              : suppliedModule(supplier.get());
      inferenceOwned = true;
    } else {
      binding = averages.current(binding, Leeway.TYPE_AND_DEVICE, "module", List.of(shadow));
    }
    inference = binding;
    TensorPairs<T, T> averageIn = binding.intoModel(0);
    TensorPairs.copying(binding.skipped(), averages.bind(averages.model()).skipped()).copy();
    averageIn.copy();
    return binding.model();
  }

  private ModelBinding<M, T> suppliedModule(M copy) {
    checkNotTrained(copy);
    return checkedModule(copy, averages.adapter().initializeLike(copy, averages.model()));
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
      binding = averages.binding(copy, Leeway.TYPE_AND_DEVICE, "module", List.of(shadow));
      TensorPairs.checkApart(binding.all(), averages.bind(averages.model()).all());
      averages.adapter().evaluationMode(copy);
      return binding;
    } catch (RuntimeException | Error e) {
      if (binding != null) {
        binding.close();
      }
      if (ours) {
        averages.adapter().releaseCopy(copy);
      }
      throw e;
    }
  }

  private void checkNotTrained(M copy) {
    checkArgument(
        copy != averages.model(),
        "the module must be a copy of the model, but it is the model itself");
  }

  /** Adds the steps that free all that belongs to this average. */
  void collectFreeing(List<Runnable> steps) {
    steps.add(shadow::release);
    if (rollback != null) {
      steps.add(rollback::release);
    }
    if (inference != null) {
      ModelBinding<M, T> made = inference;
      steps.add(made::close);
      if (inferenceOwned) {
        steps.add(() -> averages.adapter().releaseCopy(made.model()));
      }
    }
  }
}
