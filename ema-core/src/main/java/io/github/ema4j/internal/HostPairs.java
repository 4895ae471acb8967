package io.github.ema4j.internal;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Treatment;
import io.github.ema4j.internal.Stretch.Open;
import io.github.ema4j.internal.TensorPairs.PairConsumer;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.HostMemory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The pairs of which both tensors lie in host memory. Core's kernel works on them once they are
 * open, on several threads where they are large. All that an update needs is kept from one to the
 * next.
 */
final class HostPairs<L, R> {
  private final ImmutableList<Stretch<L, R>> stretches;
  private final List<Tensors<L>> lefts;
  private final Tensors<R> right;
  private final Workers workers;
  private final List<Open<L, R>> host;

  /** At which position each of what is open begins, and the last ends. */
  private long[] begins;

  private long bytes;
  private boolean opened;
  private final Averaging averaging = new Averaging();
  private final Copying copying = new Copying();
  private final Looking looking = new Looking();

  HostPairs(
      List<Tensors<L>> lefts, Tensors<R> right, List<TensorPair<L, R>> pairs, Workers workers) {
    stretches = Stretch.of(lefts, right, pairs);
    this.lefts = lefts;
    this.right = right;
    this.workers = workers;
    host = new ArrayList<>(pairs.size());
    begins = new long[pairs.size() + 1];
  }

  /**
   * Opens all tensors.
   *
   * @throws IllegalStateException if one is closed or released
   * @throws IllegalArgumentException if one has less memory than it had
   */
  void open() {
    if (opened && !mayHaveMoved()) {
      return;
    }
    opened = false;
    host.clear();
    for (int i = 0; i < stretches.size(); i++) {
      stretches.get(i).open(host);
    }
    bytes = 0;
    for (int i = 0; i < host.size(); i++) {
      begins[i + 1] = begins[i] + host.get(i).elements;
      bytes += host.get(i).bytes();
    }
    opened = true;
  }

  private boolean mayHaveMoved() {
    boolean moved = right.mayMove().getAsBoolean();
    for (int k = 0; k < lefts.size(); k++) {
      moved |= lefts.get(k).mayMove().getAsBoolean();
    }
    return moved;
  }

  /** Something to do with what is open, in parts where it is large. */
  private abstract class Task implements Workers.Work {

    final void run() {
      workers.run(begins[host.size()], bytes, this);
    }

    /** Does a part; what cannot be split goes to where its first element belongs. */
    @Override
    public final void run(HostKernel kernel, long begin, long end) {
      for (int i = firstFrom(begin); i < host.size() && begins[i] < end; i++) {
        Open<L, R> open = host.get(i);
        long at = begins[i];
        if (!nest(open).isFlat()) {
          if (begin <= at) {
            run(kernel, i, open, 0, 0);
          }
        } else {
          run(kernel, i, open, Math.max(begin, at) - at, Math.min(end, begins[i + 1]) - at);
        }
      }
    }

    /** Returns the first of what is open that ends after a position, or begins there. */
    private int firstFrom(long position) {
      int found = Arrays.binarySearch(begins, 0, host.size() + 1, position);
      int first = found < 0 ? -found - 2 : found;
      while (first > 0 && begins[first - 1] == position) {
        first--; // what is empty begins where the next does
      }
      return first;
    }

    LoopNest nest(Open<L, R> open) {
      return open.nest;
    }

    /**
     * Does something with open tensors.
     *
     * @param begin the first element to work on, if the loops over all of them are flat
     * @param end the one after the last
     */
    abstract void run(HostKernel kernel, int index, Open<L, R> open, long begin, long end);
  }

  /** Looks for the first that is not finite. */
  private final class Looking extends Task {
    private final AtomicInteger first = new AtomicInteger();

    @Override
    LoopNest nest(Open<L, R> open) {
      return open.rightNest;
    }

    @Override
    void run(HostKernel kernel, int index, Open<L, R> open, long begin, long end) {
      ElementType type = open.rightType;
      if (type.isFloating() && !kernel.isFinite(open.right, type, open.rightNest, begin, end)) {
        first.accumulateAndGet(index, Math::min);
      }
    }
  }

  /** Returns the name of the first entry on the right that has NaN or infinity. */
  Optional<String> nonFiniteEntry() {
    looking.first.set(host.size());
    looking.run();
    int first = looking.first.get();
    return first == host.size()
        ? Optional.empty()
        : Optional.of(nonFiniteEntry(host.get(first)).name());
  }

  private Entry<R> nonFiniteEntry(Open<L, R> open) {
    for (TensorPair<L, R> pair : open.pairs) {
      HostMemory memory = right.memory(pair.right(), null);
      if (!workers.kernel().isFinite(memory, pair.rightType(), pair.rightNest())) {
        return pair.right();
      }
    }
    return open.pairs.get(0).right(); // another thread made it finite meanwhile
  }

  /** Returns a hash of a few elements of each averaged tensor on the right; 0 if none is. */
  long fingerprint() {
    boolean any = false;
    long hash = 1;
    for (int i = 0; i < host.size(); i++) {
      Open<L, R> open = host.get(i);
      if (open.treatment == Treatment.AVERAGE) {
        long offset = 0; // other than 0 where several pairs are one run
        for (int j = 0; j < open.pairs.size(); j++) {
          TensorPair<L, R> pair = open.pairs.get(j);
          hash =
              31 * hash
                  + HostKernel.fingerprint(open.right, pair.rightType(), offset, pair.samples());
          offset += pair.right().spec().elements();
        }
        any = true;
      }
    }
    if (!any) {
      return 0;
    }
    return hash == 0 ? 1 : hash;
  }

  /** Averages right into the lefts; copies what is to be copied. */
  private final class Averaging extends Task {
    private Blend blend = Blend.ofAverages(AveragingRule.LERP, false, 0);

    @Override
    void run(HostKernel kernel, int index, Open<L, R> open, long begin, long end) {
      if (open.treatment == Treatment.AVERAGE) {
        kernel.average(
            open.lefts, open.leftType, open.right, open.rightType, open.nest, begin, end, blend);
      } else {
        copying.run(kernel, index, open, begin, end);
      }
    }
  }

  /** Averages right into the lefts, each with its decay; copies what is to be copied. */
  void average(Blend blend) {
    averaging.blend = blend;
    averaging.run();
  }

  /** Copies right over the lefts. */
  private final class Copying extends Task {

    @Override
    void run(HostKernel kernel, int index, Open<L, R> open, long begin, long end) {
      for (HostMemory left : open.lefts) {
        kernel.copy(left, open.leftType, open.right, open.rightType, open.nest, begin, end);
      }
    }
  }

  /** Copies right over the lefts. */
  void copy() {
    copying.run();
  }

  /** Calls a function with the pairs that are to be averaged and copies the others. */
  void apply(PairConsumer<L, R> function) {
    for (int i = 0; i < host.size(); i++) {
      Open<L, R> open = host.get(i);
      if (open.treatment == Treatment.AVERAGE) {
        open.pairs.forEach(pair -> pair.apply(function));
      } else {
        copying.run(workers.kernel(), i, open, 0, open.elements);
      }
    }
  }
}
