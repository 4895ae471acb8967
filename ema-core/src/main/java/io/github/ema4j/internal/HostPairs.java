package io.github.ema4j.internal;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.internal.Stretch.Open;
import io.github.ema4j.internal.TensorPairs.PairConsumer;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.HostMemory;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The pairs of which both tensors lie in host memory, open now. Core's kernel works on them, on
 * several threads where they are large.
 */
final class HostPairs<L, R> {
  private final List<Open<L, R>> host;
  private final Tensors<R> right;
  private final Workers workers;

  /** Something to do with open tensors, or a part of them. */
  private interface Work<L, R> {
    void run(HostKernel kernel, Open<L, R> open, LoopNest nest);
  }

  HostPairs(List<Open<L, R>> host, Tensors<R> right, Workers workers) {
    this.host = host;
    this.right = right;
    this.workers = workers;
  }

  /** Runs work on all that is open, in parts where it is large. */
  private void run(Function<Open<L, R>, LoopNest> nests, Work<L, R> work) {
    long elements = 0;
    long bytes = 0;
    for (Open<L, R> open : host) {
      elements += open.elements();
      bytes += open.bytes();
    }
    workers.run(elements, bytes, (kernel, begin, end) -> run(nests, work, kernel, begin, end));
  }

  /** Runs work on a part; what cannot be split goes to where its first element belongs. */
  private void run(
      Function<Open<L, R>, LoopNest> nests,
      Work<L, R> work,
      HostKernel kernel,
      long begin,
      long end) {
    long at = 0;
    for (Open<L, R> open : host) {
      long next = at + open.elements();
      LoopNest nest = nests.apply(open);
      if (!nest.isFlat()) {
        if (begin <= at && at < end) {
          work.run(kernel, open, nest);
        }
      } else if (at < end && begin < next) {
        LoopNest part = nest.part(Math.max(begin, at) - at, Math.min(end, next) - at);
        work.run(kernel, open, part);
      }
      at = next;
    }
  }

  /** Returns the name of the first entry on the right that has NaN or infinity. */
  Optional<String> nonFiniteEntry() {
    AtomicReference<@Nullable Open<L, R>> found = new AtomicReference<>();
    run(
        open -> open.rightNest,
        (kernel, open, nest) -> {
          ElementType type = open.first().rightType();
          if (type.isFloating() && !kernel.isFinite(open.right, type, nest)) {
            found.accumulateAndGet(open, this::earlier);
          }
        });
    Open<L, R> first = found.get();
    return first == null ? Optional.empty() : Optional.of(nonFiniteEntry(first).name());
  }

  private @Nullable Open<L, R> earlier(@Nullable Open<L, R> one, @Nullable Open<L, R> other) {
    return one == null || host.indexOf(other) < host.indexOf(one) ? other : one;
  }

  private Entry<R> nonFiniteEntry(Open<L, R> open) {
    for (TensorPair<L, R> pair : open.pairs) {
      HostMemory memory = right.memory(pair.right());
      if (!workers.kernel().isFinite(memory, pair.rightType(), pair.rightNest())) {
        return pair.right();
      }
    }
    return open.first().right(); // another thread made it finite meanwhile
  }

  /** Returns a hash of a few elements of each averaged tensor on the right; none if none is. */
  OptionalLong fingerprint() {
    boolean any = false;
    long hash = 1;
    for (Open<L, R> open : host) {
      if (open.first().treatment() == Treatment.AVERAGE) {
        long offset = 0; // other than 0 where several pairs are one run
        for (TensorPair<L, R> pair : open.pairs) {
          TensorSpec spec = pair.right().spec();
          hash = 31 * hash + workers.kernel().fingerprint(open.right, offset, spec);
          offset += spec.elements();
        }
        any = true;
      }
    }
    return any ? OptionalLong.of(hash) : OptionalLong.empty();
  }

  /** Averages right into the lefts, each with its decay; copies what is to be copied. */
  void average(double[] decays, AveragingRule rule) {
    run(
        open -> open.nest,
        (kernel, open, nest) -> {
          TensorPair<L, R> first = open.first();
          if (first.treatment() == Treatment.AVERAGE) {
            kernel.average(
                open.lefts, first.leftType(), open.right, first.rightType(), nest, decays, rule);
          } else {
            copy(kernel, open, nest);
          }
        });
  }

  /** Moves all of left towards right by a weight, by the formula of {@link AveragingRule#LERP}. */
  void moveTowards(double weight) {
    run(
        open -> open.nest,
        (kernel, open, nest) -> {
          TensorPair<L, R> first = open.first();
          for (HostMemory left : open.lefts) {
            kernel.moveTowards(left, first.leftType(), open.right, first.rightType(), nest, weight);
          }
        });
  }

  /** Copies right over the lefts. */
  void copy() {
    run(open -> open.nest, this::copy);
  }

  /** Calls a function with the pairs that are to be averaged and copies the others. */
  void apply(PairConsumer<L, R> function) {
    for (Open<L, R> open : host) {
      if (open.first().treatment() == Treatment.AVERAGE) {
        open.pairs.forEach(pair -> pair.apply(function));
      } else {
        copy(workers.kernel(), open, open.nest);
      }
    }
  }

  private void copy(HostKernel kernel, Open<L, R> open, LoopNest nest) {
    TensorPair<L, R> first = open.first();
    for (HostMemory left : open.lefts) {
      kernel.copy(left, first.leftType(), open.right, first.rightType(), nest);
    }
  }
}
