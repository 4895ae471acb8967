package io.github.ema4j.internal;

import com.google.common.primitives.ImmutableLongArray;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The loops that visit the elements of two tensors of one shape side by side: dimensions ordered by
 * stride and joined where both tensors allow, so that equal dense layouts of any order become one
 * flat run.
 */
final class LoopNest {
  private static final int SHORT_RUN = 32;

  private final ImmutableLongArray sizes;
  private final ImmutableLongArray left;
  private final ImmutableLongArray right;
  private final boolean ofNeighbours;
  private final boolean flat;

  private record Loop(long size, long left, long right) {}

  /** Takes a run of elements that lie a fixed stride apart in each tensor. */
  interface Run {
    void accept(
        long leftOffset, long rightOffset, long elements, long leftStride, long rightStride);
  }

  private LoopNest(ImmutableLongArray sizes, ImmutableLongArray left, ImmutableLongArray right) {
    this.sizes = sizes;
    this.left = left;
    this.right = right;
    int innermost = sizes.length() - 1;
    ofNeighbours = left.get(innermost) == 1 && right.get(innermost) == 1;
    flat = sizes.length() == 1 && sizes.get(0) > 0 && ofNeighbours;
  }

  /** Returns the sizes of the loops, innermost last; there is at least one. */
  ImmutableLongArray sizes() {
    return sizes;
  }

  /** Returns the strides of the left tensor. */
  ImmutableLongArray left() {
    return left;
  }

  /** Returns the strides of the right tensor. */
  ImmutableLongArray right() {
    return right;
  }

  static LoopNest over(
      ImmutableLongArray shape, ImmutableLongArray leftStrides, ImmutableLongArray rightStrides) {
    if (shape.contains(0)) {
      return of(List.of(new Loop(0, 1, 1)));
    }
    List<Loop> outermostFirst =
        IntStream.range(0, shape.length())
            .filter(i -> shape.get(i) > 1)
            .mapToObj(i -> new Loop(shape.get(i), leftStrides.get(i), rightStrides.get(i)))
            .sorted(Comparator.comparingLong(Loop::left).thenComparingLong(Loop::right).reversed())
            .toList();
    List<Loop> joined = new ArrayList<>();
    for (Loop inner : outermostFirst) {
      Loop outer = joined.isEmpty() ? null : joined.get(joined.size() - 1);
      if (outer != null
          && outer.left == inner.left * inner.size
          && outer.right == inner.right * inner.size) {
        joined.set(joined.size() - 1, new Loop(outer.size * inner.size, inner.left, inner.right));
      } else {
        joined.add(inner);
      }
    }
    return of(joined.isEmpty() ? List.of(new Loop(1, 1, 1)) : withLongRuns(joined));
  }

  /** Moves the longest loop inwards where the innermost is too short to be worth a run. */
  private static List<Loop> withLongRuns(List<Loop> loops) {
    Loop innermost = loops.get(loops.size() - 1);
    Loop longest = Collections.max(loops, Comparator.comparingLong(Loop::size));
    if (innermost.size >= SHORT_RUN || innermost.size == longest.size) {
      return loops;
    }
    List<Loop> moved = new ArrayList<>(loops);
    moved.remove(longest);
    moved.add(longest);
    return moved;
  }

  private static LoopNest of(List<Loop> loops) {
    return new LoopNest(
        ImmutableLongArray.copyOf(loops.stream().mapToLong(Loop::size)),
        ImmutableLongArray.copyOf(loops.stream().mapToLong(Loop::left)),
        ImmutableLongArray.copyOf(loops.stream().mapToLong(Loop::right)));
  }

  /** Tells whether the elements of a run are neighbours in both tensors. */
  boolean isOfNeighbours() {
    return ofNeighbours;
  }

  /** Tells whether one run of neighbours covers both tensors, and is not empty. */
  boolean isFlat() {
    return flat;
  }

  /** Returns the size of the innermost loop; of a flat nest, how many elements there are. */
  long innermost() {
    return sizes.get(sizes.length() - 1);
  }

  /** Calls {@code run} for each run of the innermost loop. */
  void forEachRun(Run run) {
    forEachRun(run, 0, 0, 0);
  }

  /**
   * Calls {@code run} for each run of the innermost loop; of a flat nest, for the elements from
   * {@code begin} to {@code end} alone.
   */
  void forEachRun(long begin, long end, Run run) {
    if (isFlat()) {
      run.accept(begin, begin, end - begin, 1, 1);
    } else {
      forEachRun(run);
    }
  }

  private void forEachRun(Run run, int depth, long leftOffset, long rightOffset) {
    long size = sizes.get(depth);
    if (depth == sizes.length() - 1) {
      run.accept(leftOffset, rightOffset, size, left.get(depth), right.get(depth));
      return;
    }
    for (long i = 0; i < size; i++) {
      forEachRun(
          run, depth + 1, leftOffset + i * left.get(depth), rightOffset + i * right.get(depth));
    }
  }
}
