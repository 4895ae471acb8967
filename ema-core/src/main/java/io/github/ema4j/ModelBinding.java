package io.github.ema4j;

import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.EntryMatcher;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.ModelAdapter;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The pairing of one model with an average's slots and shadow: good until the model moves or the
 * average takes another shadow.
 */
final class ModelBinding<M, T> {
  private final M model;
  private final StateDict<T> dict;
  private final String owner;
  private final List<Slot> slots;
  private final Shadow<T> shadow;
  private final List<Entry<T>> matched;
  private @Nullable TensorPairs<T, T> intoAverage;
  private @Nullable TensorPairs<T, T> intoModel;
  private boolean stale;

  /**
   * Pairs a model.
   *
   * @param owner what to call the model in messages
   * @throws IllegalArgumentException if the model differs from the slots by more than the leeway,
   *     or shares memory with the average
   */
  ModelBinding(
      ModelAdapter<M, T> adapter,
      M model,
      String owner,
      Pairing pairing,
      Leeway leeway,
      List<Slot> slots,
      Shadow<T> shadow) {
    this.model = model;
    this.owner = owner;
    this.slots = slots;
    this.shadow = shadow;
    dict = adapter.stateDict(model);
    try {
      matched = EntryMatcher.match(pairing, leeway, slots, dict.entries(), owner);
      TensorPairs.checkTies(all(), slots.stream().map(Slot::treatment).toList());
      TensorPairs.checkApart(shadow.tensors("average"), kept());
    } catch (RuntimeException | Error e) {
      dict.close();
      throw e;
    }
  }

  M model() {
    return model;
  }

  /**
   * Tells whether model and shadow are where they were; once they are not, it never is so again.
   */
  boolean isCurrent(Shadow<T> shadowNow) {
    stale |= dict.refresh() || shadow != shadowNow;
    return !stale;
  }

  /** Frees what the view of the model holds. */
  void close() {
    dict.close();
  }

  Tensors<T> all() {
    return new Tensors<>(owner, dict.backend(), matched);
  }

  Tensors<T> kept() {
    return select(Slot::isKept);
  }

  Tensors<T> skipped() {
    return select(slot -> !slot.isKept());
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

  private Tensors<T> select(Predicate<Slot> wanted) {
    List<Entry<T>> selected =
        IntStream.range(0, slots.size())
            .filter(i -> wanted.test(slots.get(i)))
            .mapToObj(matched::get)
            .toList();
    return new Tensors<>(owner, dict.backend(), selected);
  }

  private List<Treatment> treatments() {
    return slots.stream().filter(Slot::isKept).map(Slot::treatment).toList();
  }
}
