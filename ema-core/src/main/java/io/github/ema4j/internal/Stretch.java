package io.github.ema4j.internal;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Pairs that follow one another in memory, in the average as in the model: one run of elements
 * covers them all, as where a framework keeps its parameters in one vector. Mostly it is one pair.
 *
 * <p>Where tensors lie is looked up at each opening: pairs that no longer follow one another, or of
 * which the first one's memory does not reach over all, are opened one by one.
 */
final class Stretch<L, R> {
  private final List<Tensors<L>> lefts;
  private final Tensors<R> right;
  private final ImmutableList<TensorPair<L, R>> pairs;
  private final LoopNest nest;
  private final long elements;

  /** Pairs whose memory is open: one, or several that one nest of loops covers together. */
  static final class Open<L, R> {
    final ImmutableList<TensorPair<L, R>> pairs;

    /** Memory from the first pair's first element on, for each average. */
    final HostMemory[] lefts;

    final HostMemory right;
    final LoopNest nest;
    final LoopNest rightNest;

    Open(
        ImmutableList<TensorPair<L, R>> pairs,
        HostMemory[] lefts,
        HostMemory right,
        LoopNest nest,
        LoopNest rightNest) {
      this.pairs = pairs;
      this.lefts = lefts;
      this.right = right;
      this.nest = nest;
      this.rightNest = rightNest;
    }

    TensorPair<L, R> first() {
      return pairs.get(0);
    }

    long elements() {
      return pairs.size() == 1 ? first().right().spec().elements() : nest.sizes().get(0);
    }

    /** Returns how many bytes an operation on all elements reads and writes. */
    long bytes() {
      int each = first().rightType().bytes() + 2 * lefts.length * first().leftType().bytes();
      return elements() * each;
    }
  }

  private Stretch(List<Tensors<L>> lefts, Tensors<R> right, ImmutableList<TensorPair<L, R>> pairs) {
    this.lefts = lefts;
    this.right = right;
    this.pairs = pairs;
    elements = pairs.stream().mapToLong(pair -> pair.right().spec().elements()).sum();
    nest = pairs.size() == 1 ? pairs.get(0).nest() : flat(elements);
  }

  private static LoopNest flat(long elements) {
    ImmutableLongArray one = ImmutableLongArray.of(1);
    return LoopNest.over(ImmutableLongArray.of(elements), one, one);
  }

  /** Splits pairs into as few stretches as their order allows. */
  static <L, R> ImmutableList<Stretch<L, R>> of(
      List<Tensors<L>> lefts, Tensors<R> right, List<TensorPair<L, R>> pairs) {
    ImmutableList.Builder<Stretch<L, R>> stretches = ImmutableList.builder();
    List<TensorPair<L, R>> current = new ArrayList<>();
    for (TensorPair<L, R> pair : pairs) {
      if (!current.isEmpty() && !continues(lefts, right, current.get(current.size() - 1), pair)) {
        stretches.add(new Stretch<>(lefts, right, ImmutableList.copyOf(current)));
        current.clear();
      }
      current.add(pair);
    }
    if (!current.isEmpty()) {
      stretches.add(new Stretch<>(lefts, right, ImmutableList.copyOf(current)));
    }
    return stretches.build();
  }

  private static <L, R> boolean continues(
      List<Tensors<L>> lefts, Tensors<R> right, TensorPair<L, R> before, TensorPair<L, R> pair) {
    return before.treatment() == pair.treatment()
        && before.leftType() == pair.leftType()
        && before.rightType() == pair.rightType()
        && before.nest().isFlat()
        && pair.nest().isFlat()
        && follow(lefts, right, before, pair);
  }

  private static <L, R> boolean follow(
      List<Tensors<L>> lefts, Tensors<R> right, TensorPair<L, R> before, TensorPair<L, R> pair) {
    if (!right.storage(before.right()).isFollowedBy(right.storage(pair.right()))) {
      return false;
    }
    for (int k = 0; k < lefts.size(); k++) {
      Storage storage = lefts.get(k).storage(before.lefts().get(k));
      if (!storage.isFollowedBy(lefts.get(k).storage(pair.lefts().get(k)))) {
        return false;
      }
    }
    return true;
  }

  /**
   * Opens all tensors and adds them to a list.
   *
   * @throws IllegalStateException if one is closed or released
   * @throws IllegalArgumentException if one has less memory than it had
   */
  void open(List<Open<L, R>> opened) {
    Open<L, R> together = pairs.size() == 1 ? null : openTogether();
    if (together != null) {
      opened.add(together);
      return;
    }
    for (TensorPair<L, R> pair : pairs) {
      opened.add(
          new Open<>(
              pairs.size() == 1 ? pairs : ImmutableList.of(pair),
              leftMemories(pair),
              right.memory(pair.right()),
              pair.nest(),
              pair.rightNest()));
    }
  }

  private @Nullable Open<L, R> openTogether() {
    for (int i = 1; i < pairs.size(); i++) {
      if (!follow(lefts, right, pairs.get(i - 1), pairs.get(i))) {
        return null;
      }
    }
    TensorPair<L, R> first = pairs.get(0);
    HostMemory[] leftMemories = leftMemories(first);
    HostMemory rightMemory = right.memory(first.right());
    for (HostMemory memory : leftMemories) {
      if (memory.elements() < elements) {
        return null;
      }
    }
    return rightMemory.elements() < elements
        ? null
        : new Open<>(pairs, leftMemories, rightMemory, nest, nest);
  }

  private HostMemory[] leftMemories(TensorPair<L, R> pair) {
    HostMemory[] memories = new HostMemory[lefts.size()];
    for (int k = 0; k < memories.length; k++) {
      memories[k] = lefts.get(k).memory(pair.lefts().get(k));
    }
    return memories;
  }
}
