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
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The pairing of one model with the slots and the shadows of one or more averages: good until the
 * model moves or an average takes another shadow.
 */
final class ModelBinding<M, T> {
  private final M model;
  private final StateDict<T> dict;
  private final String owner;
  private final List<Slot> slots;
  private final List<Shadow<T>> shadows;
  private final List<Entry<T>> matched;
  private final List<@Nullable TensorPairs<T, T>> intoModel;
  private @Nullable TensorPairs<T, T> intoAverages;
  private boolean stale;

  /**
   * Pairs a model.
   *
   * @param owner what to call the model in messages
   * @throws IllegalArgumentException if the model differs from the slots by more than the leeway,
   *     or shares memory with an average
   */
  ModelBinding(
      ModelAdapter<M, T> adapter,
      M model,
      String owner,
      Pairing pairing,
      Leeway leeway,
      List<Slot> slots,
      List<Shadow<T>> shadows) {
    this.model = model;
    this.owner = owner;
    this.slots = slots;
    this.shadows = shadows;
    intoModel = new ArrayList<>(Collections.nCopies(shadows.size(), null));
    dict = adapter.stateDict(model);
    try {
      matched = EntryMatcher.match(pairing, leeway, slots, dict.entries(), owner);
      TensorPairs.checkTies(all(), slots.stream().map(Slot::treatment).toList());
      for (Shadow<T> shadow : shadows) {
        TensorPairs.checkApart(shadow.tensors("average"), kept());
      }
    } catch (RuntimeException | Error e) {
      dict.close();
      throw e;
    }
  }

  M model() {
    return model;
  }

  /**
   * Tells whether model and shadows are where they were; once they are not, it never is so again.
   */
  @SuppressWarnings("ReferenceEquality") // mostly it is the same list
  boolean isCurrent(List<Shadow<T>> shadowsNow) {
    stale |= dict.refresh() || !(shadows == shadowsNow || shadows.equals(shadowsNow));
    return !stale;
  }

  /** Frees what the view of the model and the plans hold. */
  void close() {
    if (intoAverages != null) {
      intoAverages.release();
    }
    dict.close();
  }

  Tensors<T> all() {
    return new Tensors<>(owner, dict.backend(), matched);
  }

  /** Returns all of the model, of which the averages may be of a shard. */
  Tensors<T> whole() {
    return new Tensors<>(owner, dict.backend(), dict.whole().entries());
  }

  Tensors<T> kept() {
    return select(Slot::isKept);
  }

  Tensors<T> skipped() {
    return select(slot -> !slot.isKept());
  }

  /** Returns what writes all averages from the model. */
  TensorPairs<T, T> intoAverages() {
    if (intoAverages == null) {
      List<Tensors<T>> averages =
          shadows.stream().map(shadow -> shadow.tensors("average")).toList();
      intoAverages = TensorPairs.of(averages, kept(), treatments());
    }
    return intoAverages;
  }

  /** Returns what writes the model from one of the averages. */
  TensorPairs<T, T> intoModel(int index) {
    TensorPairs<T, T> pairs = intoModel.get(index);
    if (pairs == null) {
      pairs = TensorPairs.of(kept(), shadows.get(index).tensors("average"), treatments());
      intoModel.set(index, pairs);
    }
    return pairs;
  }

  private Tensors<T> select(Predicate<Slot> wanted) {
    List<Entry<T>> entries = Slot.select(slots, matched, wanted);
    return new Tensors<>(owner, dict.backend(), entries, () -> !dict.tellsMoves());
  }

  private List<Treatment> treatments() {
    return slots.stream().filter(Slot::isKept).map(Slot::treatment).toList();
  }
}
