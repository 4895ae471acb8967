package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.UpdateRule;
import io.github.ema4j.internal.TiedStorage.Region;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.function.Function;

/**
 * The plan of an operation: pairs of tensors, the left of which is written from the right. Made
 * once and kept until a state dict says that something moved.
 *
 * <p>Tied tensors are written once. Each operation first opens all tensors and only then writes, so
 * that one which was closed meanwhile is found while nothing has changed.
 *
 * @param <L> the tensor type that is written
 * @param <R> the tensor type that is read
 */
public final class TensorPairs<L, R> {

  private record Pair<L, R>(Entry<L> left, Entry<R> right, Treatment treatment, LoopNest nest) {}

  /**
   * The tensors of one side.
   *
   * @param owner what they belong to, for messages: {@code average}, {@code model}
   * @param backend what knows about them
   * @param entries the tensors
   * @param <T> their type
   */
  public record Tensors<T>(String owner, TensorBackend<T> backend, List<Entry<T>> entries) {

    /** Returns for each tensor the index of the first that it is tied to, or its own. */
    int[] ties() {
      return TiedStorage.firstOfEach(regions());
    }

    private List<Region> regions() {
      return entries.stream().map(this::region).toList();
    }

    private Region region(Entry<T> entry) {
      TensorSpec spec = entry.spec();
      checkArgument(
          spec.isNonOverlapping(),
          "'%s' of the %s has elements that share memory (shape %s, strides %s); clone it",
          entry.name(),
          owner,
          spec.shape(),
          spec.strides());
      return new Region(entry.name(), spec, open(entry, backend::storage));
    }

    private HostMemory memory(Entry<T> entry) {
      HostMemory memory = open(entry, backend::memory);
      checkState(
          memory.elements() >= entry.spec().extent(),
          "'%s' of the %s has room for %s elements where shape %s needs %s; was it resized?",
          entry.name(),
          owner,
          memory.elements(),
          entry.spec().shape(),
          entry.spec().extent());
      return memory;
    }

    private <V> V open(Entry<T> entry, Function<T, V> opening) {
      try {
        return opening.apply(entry.tensor());
      } catch (IllegalStateException e) {
        throw new IllegalStateException(
            "'" + entry.name() + "' of the " + owner + ": " + e.getMessage(), e);
      }
    }
  }

  private final Tensors<L> left;
  private final Tensors<R> right;
  private final List<Pair<L, R>> pairs;
  private final HostKernel kernel = new HostKernel();

  private TensorPairs(Tensors<L> left, Tensors<R> right, List<Pair<L, R>> pairs) {
    this.left = left;
    this.right = right;
    this.pairs = pairs;
  }

  /**
   * Pairs tensors by position.
   *
   * @param treatments what {@link #average} and {@link #apply} do with each pair
   * @throws IllegalArgumentException if tensors of one side overlap without being the same, or
   *     tensors are tied on the left that are not on the right
   * @throws IllegalStateException if a tensor is closed or released
   */
  public static <L, R> TensorPairs<L, R> of(
      Tensors<L> left, Tensors<R> right, List<Treatment> treatments) {
    int[] leftTies = left.ties();
    int[] rightTies = right.ties();
    ImmutableList.Builder<Pair<L, R>> pairs = ImmutableList.builder();
    for (int i = 0; i < leftTies.length; i++) {
      Entry<L> to = left.entries.get(i);
      Entry<R> from = right.entries.get(i);
      int tied = leftTies[i];
      if (tied == i) {
        LoopNest nest =
            LoopNest.over(to.spec().shape(), to.spec().strides(), from.spec().strides());
        pairs.add(new Pair<>(to, from, treatments.get(i), nest));
      } else {
        String first = left.entries.get(tied).name();
        checkArgument(
            rightTies[i] == rightTies[tied],
            "'%s' and '%s' are tied in the %s but not in the %s; tie them alike",
            first,
            to.name(),
            left.owner,
            right.owner);
      }
    }
    return new TensorPairs<>(left, right, pairs.build());
  }

  /**
   * Checks that tied tensors are treated alike: what is done to one is done to the other.
   *
   * @throws IllegalArgumentException if they are not, or tensors overlap without being the same
   */
  public static void checkTies(Tensors<?> tensors, List<Treatment> treatments) {
    int[] ties = tensors.ties();
    for (int i = 0; i < ties.length; i++) {
      checkArgument(
          treatments.get(i) == treatments.get(ties[i]),
          "'%s' and '%s' are tied, but the policy says %s for one and %s for the other",
          tensors.entries.get(ties[i]).name(),
          tensors.entries.get(i).name(),
          treatments.get(ties[i]),
          treatments.get(i));
    }
  }

  /**
   * Checks that two owners' tensors have no memory in common.
   *
   * @throws IllegalArgumentException if they have, naming the entries
   */
  public static void checkApart(Tensors<?> first, Tensors<?> second) {
    TiedStorage.checkApart(first.owner, first.regions(), second.owner, second.regions());
  }

  /** Averages right into left; copies the pairs that are to be copied. */
  public void average(double decay, AveragingRule rule) {
    HostMemory[] lefts = memories(left, Pair::left);
    HostMemory[] rights = memories(right, Pair::right);
    for (int i = 0; i < lefts.length; i++) {
      Pair<L, R> pair = pairs.get(i);
      ElementType to = pair.left.spec().type();
      ElementType from = pair.right.spec().type();
      if (pair.treatment == Treatment.AVERAGE) {
        kernel.average(lefts[i], to, rights[i], from, pair.nest, decay, rule);
      } else {
        kernel.copy(lefts[i], to, rights[i], from, pair.nest);
      }
    }
  }

  /** Moves all of left towards right by a weight, by the formula of {@link AveragingRule#LERP}. */
  public void moveTowards(double weight) {
    HostMemory[] lefts = memories(left, Pair::left);
    HostMemory[] rights = memories(right, Pair::right);
    for (int i = 0; i < lefts.length; i++) {
      Pair<L, R> pair = pairs.get(i);
      ElementType to = pair.left.spec().type();
      kernel.moveTowards(lefts[i], to, rights[i], pair.right.spec().type(), pair.nest, weight);
    }
  }

  /** Copies right over left. */
  public void copy() {
    HostMemory[] lefts = memories(left, Pair::left);
    HostMemory[] rights = memories(right, Pair::right);
    for (int i = 0; i < lefts.length; i++) {
      Pair<L, R> pair = pairs.get(i);
      kernel.copy(
          lefts[i], pair.left.spec().type(), rights[i], pair.right.spec().type(), pair.nest);
    }
  }

  /**
   * Applies a user's rule to the pairs that are to be averaged and copies those that are to be
   * copied. What the rule has written when it fails stays written.
   */
  public static <T> void apply(TensorPairs<T, T> plan, UpdateRule<T> rule, double decay) {
    HostMemory[] lefts = plan.memories(plan.left, Pair::left);
    HostMemory[] rights = plan.memories(plan.right, Pair::right);
    for (int i = 0; i < lefts.length; i++) {
      Pair<T, T> pair = plan.pairs.get(i);
      if (pair.treatment == Treatment.AVERAGE) {
        rule.apply(pair.left.tensor(), pair.right.tensor(), decay);
      } else {
        ElementType to = pair.left.spec().type();
        plan.kernel.copy(lefts[i], to, rights[i], pair.right.spec().type(), pair.nest);
      }
    }
  }

  private <T> HostMemory[] memories(Tensors<T> side, Function<Pair<L, R>, Entry<T>> entry) {
    HostMemory[] memories = new HostMemory[pairs.size()];
    for (int i = 0; i < memories.length; i++) {
      memories[i] = side.memory(entry.apply(pairs.get(i)));
    }
    return memories;
  }
}
