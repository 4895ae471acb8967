package io.github.ema4j.posthoc;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.Average;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.EntryMatcher;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.schedule.PowerFunction;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Snapshots of power-function averages, from which averages of other widths are put together.
 *
 * <p>Each snapshot is a copy in host memory: averaged floating-point entries in float32, whatever
 * their type was (half precision would cost visible accuracy), all others, which are not combined,
 * in their own type. Tied entries are kept once. The store owns this memory, {@link #bytes} of it,
 * until {@link #close}; averages and state dicts that are added stay the caller's. What {@link
 * #reconstruct(Profile)} returns is the caller's and outlives the store.
 *
 * <p>The first snapshot says which entries there are, how they are named and which are tied; the
 * others must have the same, in whatever order. A call that fails leaves the store as it was. Not
 * thread-safe: one thread at a time.
 */
public final class Snapshots implements AutoCloseable {
  private static final TensorBackend<ArrayTensor> ARRAYS = ArrayBackend.instance();
  private static final int BLOCK = 1024;

  /** A snapshot's tensors, as the layout counts them. */
  private record Snapshot(Profile profile, List<ArrayTensor> tensors) {}

  /**
   * An entry of every snapshot.
   *
   * @param tensor the number of its tensor; tied entries have the same
   */
  private record Place(String name, Role role, int tensor) {}

  /**
   * What all snapshots have in common.
   *
   * @param specs what the tensors look like
   * @param combined for each tensor whether it is a sum over the snapshots, or else copied
   */
  private record Layout(List<Place> places, List<TensorSpec> specs, List<Boolean> combined) {

    List<Entry<ArrayTensor>> entries(List<ArrayTensor> tensors) {
      return places.stream()
          .map(
              place ->
                  new Entry<>(
                      place.name, tensors.get(place.tensor), specs.get(place.tensor), place.role))
          .toList();
    }
  }

  private final EntryPolicy policy;
  private final int limit;

  /** In order of time. */
  private final List<Snapshot> snapshots = new ArrayList<>();

  private Layout layout = new Layout(List.of(), List.of(), List.of());
  private boolean closed;

  private Snapshots(EntryPolicy policy, int limit) {
    this.policy = requireNonNull(policy, "policy");
    this.limit = limit;
  }

  /**
   * Returns an empty store that keeps what it is given.
   *
   * @param policy the policy of the averages: entries that it averages are combined, if they are
   *     floating-point, those that it skips are left out, and all others are copied
   */
  public static Snapshots keepingAll(EntryPolicy policy) {
    return new Snapshots(policy, Integer.MAX_VALUE);
  }

  /**
   * Returns an empty store that keeps the latest snapshots, and one more while it is added. Old
   * ones matter little to targets near the end of the training.
   *
   * @param limit how many to keep, at least 1; two averages make two at a time
   * @param policy the policy of the averages, as for {@link #keepingAll}
   * @throws IllegalArgumentException if the limit is not positive
   */
  public static Snapshots keepingLatest(int limit, EntryPolicy policy) {
    checkArgument(limit >= 1, "limit must be at least 1, but was %s", limit);
    return new Snapshots(policy, limit);
  }

  /**
   * Adds a snapshot of an average as it is now, at the time that its progress says.
   *
   * @param schedule the schedule that the average has followed since its start
   * @throws IllegalArgumentException as {@link #add(StateDict, Profile)}; also if the average was
   *     not updated yet
   * @throws IllegalStateException if the store or the average is closed
   */
  public void add(Average<?> average, PowerFunction schedule) {
    try (StateDict<?> state = average.state()) {
      add(state, Profile.at(average.progress().time(), schedule));
    }
  }

  /**
   * Adds a snapshot of a state dict of any backend.
   *
   * @param profile of which models the state dict is the average
   * @throws IllegalArgumentException if there is a snapshot of this profile already, the policy
   *     skips all entries, or the entries are not those of the first snapshot, with every
   *     difference
   * @throws IllegalStateException if the store is closed, or a tensor is closed or released
   */
  public void add(StateDict<?> state, Profile profile) {
    requireOpen();
    checkArgument(!profiles().contains(profile), "there is a snapshot of %s already", profile);
    state.refresh();
    Snapshot added = new Snapshot(profile, copyOf(state));
    int later = 0;
    while (later < snapshots.size() && snapshots.get(later).profile.time() <= profile.time()) {
      later++;
    }
    snapshots.add(later, added);
    if (snapshots.size() > limit) {
      ARRAYS.release(snapshots.remove(0).tensors);
    }
  }

  /** Returns what there are snapshots of, in order of time. */
  public List<Profile> profiles() {
    return snapshots.stream().map(Snapshot::profile).collect(ImmutableList.toImmutableList());
  }

  /** Returns how many bytes of host memory the snapshots take. */
  public long bytes() {
    return snapshots.size()
        * layout.specs.stream().mapToLong(spec -> spec.elements() * spec.type().bytes()).sum();
  }

  /**
   * Returns the average of a width at the time of the last snapshot.
   *
   * @param sigmaRel as {@link PowerFunction#ofSigmaRel} takes it
   * @throws IllegalArgumentException if the width is out of its range, or as {@link
   *     #reconstruct(Profile)}
   * @throws IllegalStateException as {@link #reconstruct(Profile)}
   */
  public StateDict<ArrayTensor> reconstruct(double sigmaRel) {
    requireSnapshots();
    return reconstruct(Profile.ofSigmaRel(lastUpTo(Long.MAX_VALUE).profile.time(), sigmaRel));
  }

  /**
   * Returns the average of a profile, as well as the snapshots allow: {@link PostHoc#misfit} of
   * {@link #profiles} says how well. Each element of a combined entry is the sum of the snapshots'
   * elements times {@link PostHoc#weights}, in double, rounded once to float32; the profile of a
   * snapshot gives that snapshot. Entries that are not combined have the value of the last snapshot
   * that is not after the target, or of the first if all are. Entries are tied as they were.
   *
   * <p>The result is plain host memory that the caller owns. To have it in a model, {@linkplain
   * io.github.ema4j.ModelEma#load load} it into an average of that model, then swap or copy.
   *
   * @throws IllegalArgumentException as {@link PostHoc#weights}
   * @throws IllegalStateException if there are no snapshots, or the store is closed
   */
  public StateDict<ArrayTensor> reconstruct(Profile target) {
    requireSnapshots();
    double[] weights = PostHoc.weights(profiles(), target);
    List<ArrayTensor> tensors = ARRAYS.allocate(layout.specs);
    Snapshot copied = lastUpTo(target.time());
    for (int i = 0; i < tensors.size(); i++) {
      if (layout.combined.get(i)) {
        combine(i, weights, (float[]) tensors.get(i).array());
      } else {
        Object source = copied.tensors.get(i).array();
        System.arraycopy(
            source, 0, tensors.get(i).array(), 0, (int) layout.specs.get(i).elements());
      }
    }
    StateDict.Builder<ArrayTensor> state = StateDict.builder(ARRAYS);
    layout.entries(tensors).forEach(each -> state.add(each.name(), each.tensor(), each.role()));
    return state.build();
  }

  /** Frees the snapshots. Does nothing when called again. */
  @Override
  public void close() {
    closed = true;
    snapshots.forEach(snapshot -> ARRAYS.release(snapshot.tensors));
    snapshots.clear();
  }

  private void requireOpen() {
    checkState(!closed, "the snapshots are closed");
  }

  private void requireSnapshots() {
    requireOpen();
    checkState(!snapshots.isEmpty(), "there are no snapshots yet");
  }

  private Snapshot lastUpTo(long time) {
    Snapshot found = snapshots.get(0);
    for (Snapshot snapshot : snapshots) {
      if (snapshot.profile.time() <= time) {
        found = snapshot;
      }
    }
    return found;
  }

  private <T> List<ArrayTensor> copyOf(StateDict<T> state) {
    List<Entry<T>> kept =
        state.entries().stream().filter(entry -> treatment(entry) != Treatment.SKIP).toList();
    checkArgument(!kept.isEmpty(), "the policy %s skips every entry of the state", policy);
    boolean first = layout.places.isEmpty();
    Layout wanted = first ? layoutOf(state.backend(), kept) : layout;
    List<Entry<T>> sources = first ? kept : inOrderOfLayout(kept);
    List<ArrayTensor> tensors = ARRAYS.allocate(wanted.specs);
    try {
      TensorPairs.copying(
              new Tensors<>("snapshot", ARRAYS, wanted.entries(tensors)),
              new Tensors<>("state", state.backend(), sources))
          .copy();
    } catch (RuntimeException | Error e) {
      ARRAYS.release(tensors);
      throw e;
    }
    layout = wanted;
    return tensors;
  }

  private Treatment treatment(Entry<?> entry) {
    return policy.treatment(entry.name(), entry.role(), entry.spec().type());
  }

  private <T> Layout layoutOf(TensorBackend<T> backend, List<Entry<T>> entries) {
    List<Place> places = new ArrayList<>();
    List<TensorSpec> specs = new ArrayList<>();
    List<Boolean> combined = new ArrayList<>();
    Map<Object, Integer> seen = new HashMap<>();
    for (Entry<T> entry : entries) {
      TensorSpec spec = entry.spec();
      boolean sum = treatment(entry) == Treatment.AVERAGE && spec.type().isFloating();
      List<Object> memory = List.of(backend.storage(entry.tensor()), spec, sum);
      Integer tied = seen.putIfAbsent(memory, specs.size());
      places.add(new Place(entry.name(), entry.role(), tied == null ? specs.size() : tied));
      if (tied == null) {
        ElementType type = sum ? ElementType.F32 : spec.type();
        specs.add(TensorSpec.contiguous(type, spec.shape().toArray()));
        combined.add(sum);
      }
    }
    return new Layout(places, specs, combined);
  }

  private <T> List<Entry<T>> inOrderOfLayout(List<Entry<T>> entries) {
    List<Slot> slots =
        entries.stream()
            .map(entry -> new Slot(entry.name(), entry.spec(), treatment(entry)))
            .toList();
    List<Entry<ArrayTensor>> matched =
        EntryMatcher.match(
            Pairing.NAME_MATCHED,
            Leeway.TYPE_AND_DEVICE,
            slots,
            layout.entries(snapshots.get(0).tensors),
            "first snapshot");
    Map<String, Entry<T>> byName = new HashMap<>();
    for (int i = 0; i < entries.size(); i++) {
      byName.put(matched.get(i).name(), entries.get(i));
    }
    return layout.places.stream()
        .map(place -> requireNonNull(byName.get(place.name), place.name))
        .toList();
  }

  /** Sums one tensor over the snapshots by blocks, so that little of it is in double at a time. */
  private void combine(int tensor, double[] weights, float[] result) {
    double[] sums = new double[BLOCK];
    for (int start = 0, n; start < result.length; start += n) {
      n = Math.min(BLOCK, result.length - start);
      boolean first = true;
      for (int s = 0; s < weights.length; s++) {
        if (weights[s] != 0) { // else an infinity that does not count would give NaN
          float[] source = (float[]) snapshots.get(s).tensors.get(tensor).array();
          addBlock(weights[s], source, start, sums, n, first);
          first = false;
        }
      }
      for (int i = 0; i < n; i++) {
        result[start + i] = (float) sums[i];
      }
    }
  }

  private static void addBlock(
      double weight, float[] source, int start, double[] sums, int n, boolean first) {
    for (int i = 0; i < n; i++) {
      double term = weight * source[start + i];
      sums[i] = first ? term : sums[i] + term; // not 0 + term: zero keeps its sign
    }
  }
}
