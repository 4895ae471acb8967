package io.github.ema4j.internal;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.ElementType;
import io.github.ema4j.Treatment;
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
  private final ImmutableList<Open<L, R>> single;
  private final @Nullable Open<L, R> together;

  /** For each pair where the averages' tensors and then the model's were, and whether in a row. */
  private ImmutableList<ImmutableList<Storage>> places = ImmutableList.of();

  private boolean inRow;

  /** Pairs whose memory is open: one, or several that one nest of loops covers together. */
  static final class Open<L, R> {
    final ImmutableList<TensorPair<L, R>> pairs;

    /** Memory from the first pair's first element on, for each average. */
    final HostMemory[] lefts;

    final LoopNest nest;
    final LoopNest rightNest;
    final Treatment treatment;
    final ElementType leftType;
    final ElementType rightType;
    final long elements;
    HostMemory right = HostMemory.NONE;
    private boolean opened;

    Open(ImmutableList<TensorPair<L, R>> pairs, int averages, LoopNest nest, LoopNest rightNest) {
      this.pairs = pairs;
      this.nest = nest;
      this.rightNest = rightNest;
      lefts = new HostMemory[averages];
      elements = elements(pairs);
      treatment = first().treatment();
      leftType = first().leftType();
      rightType = first().rightType();
    }

    private TensorPair<L, R> first() {
      return pairs.get(0);
    }

    /** Returns how many bytes an operation on all elements reads and writes. */
    long bytes() {
      int each = rightType.bytes() + 2 * lefts.length * leftType.bytes();
      return elements * each;
    }

    /** Looks where the memory is now. */
    void open(List<Tensors<L>> averages, Tensors<R> model) {
      TensorPair<L, R> first = first();
      for (int k = 0; k < lefts.length; k++) {
        lefts[k] = averages.get(k).memory(first.lefts().get(k), opened ? lefts[k] : null);
      }
      right = model.memory(first.right(), opened ? right : null);
      opened = true;
    }

    /** Tells whether the memory reaches to the last element. */
    boolean reachesOver() {
      for (HostMemory left : lefts) {
        if (left.elements() < elements) {
          return false;
        }
      }
      return right.elements() >= elements;
    }
  }

  private Stretch(List<Tensors<L>> lefts, Tensors<R> right, ImmutableList<TensorPair<L, R>> pairs) {
    this.lefts = lefts;
    this.right = right;
    this.pairs = pairs;
    single =
        pairs.stream()
            .map(
                pair ->
                    new Open<>(ImmutableList.of(pair), lefts.size(), pair.nest(), pair.rightNest()))
            .collect(ImmutableList.toImmutableList());
    together = pairs.size() == 1 ? null : together(lefts.size(), pairs);
  }

  private static <L, R> Open<L, R> together(int averages, ImmutableList<TensorPair<L, R>> pairs) {
    ImmutableLongArray one = ImmutableLongArray.of(1);
    LoopNest nest = LoopNest.over(ImmutableLongArray.of(elements(pairs)), one, one);
    return new Open<>(pairs, averages, nest, nest);
  }

  private static long elements(List<? extends TensorPair<?, ?>> pairs) {
    return pairs.stream().mapToLong(pair -> pair.right().spec().elements()).sum();
  }

  /** Splits pairs into as few stretches as their order allows. */
  static <L, R> ImmutableList<Stretch<L, R>> of(
      List<Tensors<L>> lefts, Tensors<R> right, List<TensorPair<L, R>> pairs) {
    ImmutableList.Builder<Stretch<L, R>> stretches = ImmutableList.builder();
    List<TensorPair<L, R>> current = new ArrayList<>();
    ImmutableList<Storage> before = ImmutableList.of();
    for (TensorPair<L, R> pair : pairs) {
      ImmutableList<Storage> place = place(lefts, right, pair);
      if (!current.isEmpty()
          && !(isLike(current.get(current.size() - 1), pair) && follows(before, place))) {
        stretches.add(new Stretch<>(lefts, right, ImmutableList.copyOf(current)));
        current.clear();
      }
      current.add(pair);
      before = place;
    }
    if (!current.isEmpty()) {
      stretches.add(new Stretch<>(lefts, right, ImmutableList.copyOf(current)));
    }
    return stretches.build();
  }

  private static <L, R> boolean isLike(TensorPair<L, R> before, TensorPair<L, R> pair) {
    return before.treatment() == pair.treatment()
        && before.leftType() == pair.leftType()
        && before.rightType() == pair.rightType()
        && before.nest().isFlat()
        && pair.nest().isFlat();
  }

  /** Returns where the averages' tensors of a pair are, and after them where the model's is. */
  private static <L, R> ImmutableList<Storage> place(
      List<Tensors<L>> lefts, Tensors<R> right, TensorPair<L, R> pair) {
    ImmutableList.Builder<Storage> place = ImmutableList.builder();
    for (int k = 0; k < lefts.size(); k++) {
      place.add(lefts.get(k).storage(pair.lefts().get(k)));
    }
    return place.add(right.storage(pair.right())).build();
  }

  private static boolean follows(ImmutableList<Storage> before, ImmutableList<Storage> place) {
    for (int k = 0; k < place.size(); k++) {
      if (!before.get(k).isFollowedBy(place.get(k))) {
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
    if (together != null && areInRow()) {
      together.open(lefts, right);
      if (together.reachesOver()) {
        opened.add(together);
        return;
      }
    }
    for (int i = 0; i < single.size(); i++) {
      single.get(i).open(lefts, right);
      opened.add(single.get(i));
    }
  }

  /** Tells whether all pairs follow one another. Tensors that have not moved do so as before. */
  private boolean areInRow() {
    if (!areWhereTheyWere()) {
      places =
          pairs.stream()
              .map(pair -> place(lefts, right, pair))
              .collect(ImmutableList.toImmutableList());
      inRow = true;
      for (int i = 1; i < pairs.size(); i++) {
        inRow &= follows(places.get(i - 1), places.get(i));
      }
    }
    return inRow;
  }

  private boolean areWhereTheyWere() {
    if (places.isEmpty()) {
      return false;
    }
    for (int i = 0; i < pairs.size(); i++) {
      TensorPair<L, R> pair = pairs.get(i);
      ImmutableList<Storage> place = places.get(i);
      for (int k = 0; k < lefts.size(); k++) {
        if (!lefts.get(k).isAt(pair.lefts().get(k), place.get(k))) {
          return false;
        }
      }
      if (!right.isAt(pair.right(), place.get(lefts.size()))) {
        return false;
      }
    }
    return true;
  }
}
