package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.internal.TiedStorage.Region;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The plan of an operation: pairs of tensors, the left of which is written from the right. Several
 * averages of one model make several lefts, all written in one pass over the right. Made once and
 * kept until a state dict says that something moved.
 *
 * <p>Tied tensors are written once. All tensors are opened before one is written, so that one which
 * was closed meanwhile is found while nothing has changed.
 *
 * @param <L> the tensor type that is written
 * @param <R> the tensor type that is read
 */
public final class TensorPairs<L, R> {

  /**
   * The tensors of one side.
   *
   * @param owner what they belong to, for messages: {@code average}, {@code model}
   * @param backend what knows about them
   * @param entries the tensors
   * @param mayMove whether an open tensor may have been closed or moved since it was opened last
   * @param <T> their type
   */
  public record Tensors<T>(
      String owner, TensorBackend<T> backend, List<Entry<T>> entries, BooleanSupplier mayMove) {

    /** Takes tensors that may be closed or moved by whoever has them. */
    public Tensors(String owner, TensorBackend<T> backend, List<Entry<T>> entries) {
      this(owner, backend, entries, () -> true);
    }

    /** Returns for each tensor the index of the first that it is tied to, or its own. */
    int[] ties() {
      return TiedStorage.firstOfEach(regions());
    }

    /** Tells whether these are the very tensors of other ones, in the same order. */
    public boolean areTheSameAs(Tensors<?> others) {
      List<Region> own = regions();
      List<Region> theirs = others.regions();
      return own.size() == theirs.size()
          && IntStream.range(0, own.size())
              .allMatch(
                  i ->
                      own.get(i).storage().isSameAs(theirs.get(i).storage())
                          || own.get(i).storage().bytes() + theirs.get(i).storage().bytes() == 0);
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
      return new Region(entry.name(), spec, storage(entry));
    }

    /**
     * Tells whether core may open a tensor's memory; what may not be is the framework's to work on.
     */
    boolean isInHostMemory(Entry<T> entry) {
      return !(backend instanceof DeviceBackend) || entry.spec().device().isCpu();
    }

    /**
     * Checks that a tensor is live.
     *
     * @throws IllegalStateException if it is closed or released, naming it
     */
    void checkLive(Entry<T> entry) {
      storage(entry);
    }

    Storage storage(Entry<T> entry) {
      try {
        return backend.storage(entry.tensor());
      } catch (IllegalStateException e) {
        throw named(entry, e);
      }
    }

    /** Tells whether a tensor is where it was. */
    boolean isAt(Entry<T> entry, Storage before) {
      if (!mayMove.getAsBoolean()) {
        return true;
      }
      try {
        return backend.isAt(entry.tensor(), before);
      } catch (IllegalStateException e) {
        throw named(entry, e);
      }
    }

    private boolean haveSameBits(Entry<T> first, Entry<T> second) {
      HostSide<T> one = HostSide.of(this, first);
      try {
        HostSide<T> other = HostSide.of(this, second);
        try {
          one.fetch();
          other.fetch();
          return one.hasSameBitsAs(other);
        } finally {
          other.release();
        }
      } finally {
        one.release();
      }
    }

    /**
     * Opens a tensor.
     *
     * @param before its memory when it was opened last
     */
    HostMemory memory(Entry<T> entry, @Nullable HostMemory before) {
      if (before != null && !mayMove.getAsBoolean()) {
        return before;
      }
      HostMemory memory;
      try {
        memory =
            before == null
                ? backend.memory(entry.tensor())
                : backend.memory(entry.tensor(), before);
      } catch (IllegalStateException e) {
        throw named(entry, e);
      }
      if (memory != before) {
        checkArgument(
            memory.elements() >= entry.spec().extent(),
            "'%s' of the %s has room for %s elements where shape %s needs %s; was it resized?",
            entry.name(),
            owner,
            memory.elements(),
            entry.spec().shape(),
            entry.spec().extent());
      }
      return memory;
    }

    private IllegalStateException named(Entry<T> entry, IllegalStateException e) {
      return new IllegalStateException(
          "'" + entry.name() + "' of the " + owner + ": " + e.getMessage(), e);
    }
  }

  private final HostPairs<L, R> host;
  private final DevicePairs<L, R> elsewhere;
  private final int averages;
  private final Opened opened;

  private TensorPairs(List<Tensors<L>> lefts, Tensors<R> right, List<TensorPair<L, R>> all) {
    Workers workers = new Workers(Workers.configuredThreads(), new HostKernel());
    Map<Boolean, List<TensorPair<L, R>>> byHost =
        all.stream()
            .collect(
                Collectors.partitioningBy(
                    pair ->
                        lefts.get(0).isInHostMemory(pair.lefts().get(0))
                            && right.isInHostMemory(pair.right())));
    host = new HostPairs<>(lefts, right, byHost.getOrDefault(true, List.of()), workers);
    elsewhere =
        new DevicePairs<>(lefts, right, byHost.getOrDefault(false, List.of()), workers.kernel());
    averages = lefts.size();
    opened = new Opened();
  }

  /**
   * Pairs tensors by position.
   *
   * @param treatments what {@link Opened#average} and {@link Opened#apply} do with each pair
   * @throws IllegalArgumentException if tensors of one side overlap without being the same, or
   *     tensors are tied on the left that are not on the right
   * @throws IllegalStateException if a tensor is closed or released
   */
  public static <L, R> TensorPairs<L, R> of(
      Tensors<L> left, Tensors<R> right, List<Treatment> treatments) {
    return of(List.of(left), right, treatments);
  }

  /**
   * Pairs the tensors of several averages by position with those that they are written from.
   *
   * @param lefts at least one; what is at one position looks the same in all, and is tied alike
   * @param treatments what {@link Opened#average} and {@link Opened#apply} do with each pair
   * @throws IllegalArgumentException as {@link #of(Tensors, Tensors, List)}
   * @throws IllegalStateException if a tensor is closed or released
   */
  public static <L, R> TensorPairs<L, R> of(
      List<Tensors<L>> lefts, Tensors<R> right, List<Treatment> treatments) {
    return of(lefts, right, treatments, false);
  }

  private static <L, R> TensorPairs<L, R> of(
      List<Tensors<L>> lefts, Tensors<R> right, List<Treatment> treatments, boolean equalIsTied) {
    Tensors<L> left = lefts.get(0);
    int[] leftTies = left.ties();
    int[] rightTies = right.ties();
    ImmutableList.Builder<TensorPair<L, R>> pairs = ImmutableList.builder();
    for (int i = 0; i < leftTies.length; i++) {
      int position = i;
      int tied = leftTies[i];
      if (tied == i) {
        List<Entry<L>> to = lefts.stream().map(each -> each.entries.get(position)).toList();
        pairs.add(TensorPair.of(to, right.entries.get(i), treatments.get(i)));
      } else {
        checkArgument(
            rightTies[i] == rightTies[tied]
                || (equalIsTied
                    && right.haveSameBits(right.entries.get(tied), right.entries.get(i))),
            "'%s' and '%s' are tied in the %s but not in the %s; tie them alike",
            left.entries.get(tied).name(),
            left.entries.get(i).name(),
            left.owner,
            right.owner);
      }
    }
    return new TensorPairs<>(lefts, right, pairs.build());
  }

  /** Pairs tensors by position, for copying all of them. */
  public static <L, R> TensorPairs<L, R> copying(Tensors<L> to, Tensors<R> from) {
    return of(to, from, Collections.nCopies(to.entries.size(), Treatment.COPY));
  }

  /**
   * Pairs tensors by position, for copying all of them from where ties may be lost, as in a file:
   * what is tied on the left is tied on the right or has the same bits there.
   *
   * @throws IllegalArgumentException if it is neither, or as {@link #of(Tensors, Tensors, List)}
   */
  public static <L, R> TensorPairs<L, R> loading(Tensors<L> to, Tensors<R> from) {
    List<Treatment> copies = Collections.nCopies(to.entries.size(), Treatment.COPY);
    return of(List.of(to), from, copies, true);
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

  /**
   * Opens all tensors.
   *
   * @throws IllegalStateException if one is closed or released
   * @throws IllegalArgumentException if one has less memory than it had
   */
  public Opened open() {
    host.open();
    elsewhere.checkLive();
    return opened;
  }

  /** Copies right over left. */
  public void copy() {
    open().copy();
  }

  /** Frees what averaging across devices needed; the tensors stay their owners'. */
  public void release() {
    elsewhere.release();
  }

  /** Takes the two tensors of a pair. */
  public interface PairConsumer<L, R> {
    /**
     * Does something with them.
     *
     * @param index which of several lefts it is
     */
    void accept(int index, L left, R right);
  }

  /** Tensors that can be read and written now; used at once and not kept. */
  public final class Opened {
    private Opened() {}

    /**
     * Returns the name of an entry on the right that has NaN or infinity, if one has.
     *
     * @param everywhere whether to look outside host memory too, and wait for the device
     */
    public Optional<String> nonFiniteEntry(boolean everywhere) {
      Optional<String> found = host.nonFiniteEntry();
      return found.isPresent() ? found : elsewhere.nonFiniteEntry(everywhere);
    }

    /**
     * Returns a hash of a few elements of each averaged tensor on the right: where it stays the
     * same, the tensors have hardly moved. It is 0 if none is in host memory.
     */
    public long fingerprint() {
      return host.fingerprint();
    }

    /** Averages right into the lefts; copies the pairs that are to be copied. */
    public void average(Blend blend) {
      elsewhere.stage();
      host.average(blend);
      elsewhere.average(blend);
      elsewhere.copyOthers();
    }

    /**
     * Moves all of left towards right by a weight, by the formula of {@link AveragingRule#LERP}.
     */
    public void moveTowards(double weight) {
      average(Blend.towards(weight, averages));
    }

    /** Copies right over the lefts. */
    public void copy() {
      host.copy();
      elsewhere.copy();
    }

    /**
     * Calls a function with the tensors of each pair that is to be averaged and copies the others.
     * What has been written when it fails stays written.
     */
    public void apply(PairConsumer<L, R> function) {
      host.apply(function);
      elsewhere.apply(function);
      elsewhere.copyOthers();
    }
  }
}
