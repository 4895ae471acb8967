package io.github.ema4j.posthoc;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.collect.ImmutableList.toImmutableList;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.Average;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.internal.StreamedTensor;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.merge.Merge;
import io.github.ema4j.merge.MergePlan;
import io.github.ema4j.posthoc.SnapshotLayout.Place;
import io.github.ema4j.schedule.PowerFunction;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.function.LongConsumer;

/**
 * Snapshots of power-function averages, from which averages of other widths are put together.
 *
 * <p>Each snapshot is a copy, in host memory or as a safetensors file in a folder: averaged
 * floating-point entries in float32, whatever their type was (half precision would cost visible
 * accuracy), all others, which are not combined, in their own type. Tied entries are kept once in
 * memory, and are the same bytes twice in a file. Copies in memory are the store's own, {@link
 * #bytes} in all, until {@link #close}; a folder's files stay, of use to later processes. Averages
 * and state dicts that are added stay the caller's. What {@link #reconstruct(Profile)} returns is
 * the caller's and outlives the store.
 *
 * <p>The first snapshot says which entries there are, how they are named and which are tied; the
 * others must have the same, in whatever order. A call that fails leaves the store as it was. Not
 * thread-safe: one thread at a time; and one process at a time adds to a folder.
 */
public final class Snapshots implements AutoCloseable {
  private final EntryPolicy policy;
  private final int limit;
  private final SnapshotStore store;

  /** In their order. */
  private final List<Snapshot> snapshots = new ArrayList<>();

  private SnapshotLayout layout = new SnapshotLayout(ImmutableList.of());
  private boolean closed;

  private Snapshots(EntryPolicy policy, int limit, SnapshotStore store) {
    checkArgument(limit >= 1, "limit must be at least 1, but was %s", limit);
    this.policy = requireNonNull(policy, "policy");
    this.limit = limit;
    this.store = store;
  }

  /**
   * Returns an empty store in host memory that keeps what it is given.
   *
   * @param policy the policy of the averages: entries that it averages are combined, if they are
   *     floating-point, those that it skips are left out, and all others are copied
   */
  public static Snapshots keepingAll(EntryPolicy policy) {
    return keepingLatest(Integer.MAX_VALUE, policy);
  }

  /**
   * Returns an empty store in host memory that keeps the latest snapshots, and one more while it is
   * added. Old ones matter little to targets near the end of the training.
   *
   * @param limit how many to keep, at least 1; two averages make two at a time
   * @param policy the policy of the averages, as for {@link #keepingAll}
   * @throws IllegalArgumentException if the limit is not positive
   */
  public static Snapshots keepingLatest(int limit, EntryPolicy policy) {
    return new Snapshots(policy, limit, new MemoryStore());
  }

  /**
   * Returns a store that keeps what it is given in a folder, together with what is there already.
   * The folder is created if it is missing. A snapshot is written durably, one tensor in memory at
   * a time, and takes its place when all of it is on the disk.
   *
   * @param policy the policy of the averages, as for {@link #keepingAll}
   * @throws IOException if the folder cannot be created or read
   * @throws CheckpointException if safetensors files in it are no sound snapshots, or not all of
   *     one model, with the reason for each
   */
  public static Snapshots inFolder(Path folder, EntryPolicy policy) throws IOException {
    return inFolder(folder, Integer.MAX_VALUE, policy);
  }

  /**
   * Returns a store that keeps the latest snapshots in a folder, as {@link #inFolder(Path,
   * EntryPolicy)} and {@link #keepingLatest}: older files are deleted when a newer one is complete.
   *
   * @throws IllegalArgumentException if the limit is not positive
   * @throws IOException as {@link #inFolder(Path, EntryPolicy)}
   * @throws CheckpointException as {@link #inFolder(Path, EntryPolicy)}
   */
  public static Snapshots inFolder(Path folder, int limit, EntryPolicy policy) throws IOException {
    FolderStore store = FolderStore.keeping(folder);
    return opened(store.open(), store, limit, policy);
  }

  /**
   * Opens the snapshots of a folder for reading; nothing can be added, and nothing is changed. They
   * stay in the files, which are mapped, and are verified when they are first combined. The files
   * must not be changed meanwhile.
   *
   * @throws IOException if the folder cannot be read
   * @throws CheckpointException as {@link #inFolder(Path, EntryPolicy)}
   */
  public static Snapshots open(Path folder) throws IOException {
    FolderStore store = FolderStore.reading(folder);
    return opened(store.open(), store, Integer.MAX_VALUE, EntryPolicy.defaults());
  }

  /**
   * Takes files of snapshots that were opened already, for reading, as {@link #open(Path)}. They
   * are closed with the snapshots, or when this fails.
   *
   * @param folder what to call all of them in messages
   * @throws CheckpointException as {@link #inFolder(Path, EntryPolicy)}
   */
  public static Snapshots of(Path folder, List<TensorFile> files) {
    FolderStore store = FolderStore.reading(folder);
    return opened(store.take(files), store, Integer.MAX_VALUE, EntryPolicy.defaults());
  }

  /**
   * Reads of which profile the snapshot in a file is.
   *
   * @throws CheckpointException if it is no snapshot, or says what cannot be
   */
  public static Profile profile(TensorFile file) {
    return SnapshotFile.profile(file);
  }

  private static Snapshots opened(
      Optional<FolderStore.Found> found, FolderStore store, int limit, EntryPolicy policy) {
    Snapshots opened = new Snapshots(policy, limit, store);
    if (found.isPresent()) {
      opened.layout = found.get().layout();
      opened.snapshots.addAll(found.get().snapshots());
      opened.snapshots.sort(Snapshot.ORDER);
    }
    return opened;
  }

  /**
   * Adds a snapshot of an average as it is now, at the time that its progress says.
   *
   * @param schedule the schedule that the average has followed since its start
   * @throws IllegalArgumentException as {@link #add(StateDict, Profile)}; also if the average was
   *     not updated yet
   * @throws IllegalStateException if the store or the average is closed, or the store is for
   *     reading
   * @throws UncheckedIOException as {@link #add(StateDict, Profile)}
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
   * @throws IllegalStateException if the store is closed or for reading, or a tensor is closed or
   *     released
   * @throws UncheckedIOException if it cannot be written to the folder
   */
  public void add(StateDict<?> state, Profile profile) {
    requireOpen();
    checkArgument(!profiles().contains(profile), "there is a snapshot of %s already", profile);
    state.refresh();
    snapshots.add(kept(state, profile));
    snapshots.sort(Snapshot.ORDER);
    if (snapshots.size() > limit) {
      store.drop(snapshots.remove(0));
    }
  }

  private <T> Snapshot kept(StateDict<T> state, Profile profile) {
    List<Entry<T>> kept =
        state.entries().stream()
            .filter(entry -> SnapshotLayout.treatment(policy, entry) != Treatment.SKIP)
            .toList();
    checkArgument(!kept.isEmpty(), "the policy %s skips every entry of the state", policy);
    boolean first = layout.places().isEmpty();
    SnapshotLayout wanted = first ? SnapshotLayout.of(policy, state.backend(), kept) : layout;
    List<Entry<T>> sources = first ? kept : layout.inOrder(policy, kept);
    Snapshot snapshot =
        store.keep(profile, wanted, new Tensors<>("state", state.backend(), sources));
    layout = wanted;
    return snapshot;
  }

  /** Returns the time of the last snapshot; 0 if there is none. */
  long lastTime() {
    return snapshots.isEmpty() ? 0 : snapshots.get(snapshots.size() - 1).profile().time();
  }

  /** Takes snapshots of later times out of use: the training was set back to before them. */
  void supersedeAfter(long time) {
    requireOpen();
    for (int last = snapshots.size() - 1;
        last >= 0 && snapshots.get(last).profile().time() > time;
        last--) {
      store.supersede(snapshots.get(last));
      snapshots.remove(last);
    }
  }

  /** Returns what there are snapshots of, in order of time. */
  public List<Profile> profiles() {
    return snapshots.stream().map(Snapshot::profile).collect(toImmutableList());
  }

  /** Returns how many bytes the snapshots take, in host memory or, but for ties, in the folder. */
  public long bytes() {
    return snapshots.size() * layout.bytes();
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
    return reconstruct(Profile.ofSigmaRel(lastTime(), sigmaRel));
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
   * @throws CheckpointException if a file that is needed was damaged
   */
  public StateDict<ArrayTensor> reconstruct(Profile target) {
    StateDict.Builder<ArrayTensor> result = StateDict.builder(ArrayBackend.instance());
    IdentityHashMap<Object, ArrayTensor> made = new IdentityHashMap<>(); // ties stay ties
    try (StateDict<?> average = streamed(target, Long.MAX_VALUE, bytes -> {})) {
      for (Entry<?> entry : average.entries()) {
        ArrayTensor tensor =
            made.computeIfAbsent(entry.tensor(), each -> ((StreamedTensor) each).inMemory());
        result.add(entry.name(), tensor, entry.role());
      }
    }
    return result.build();
  }

  /**
   * Writes the average of a profile, as {@link #reconstruct(Profile)} returns it, as a safetensors
   * file, durably. No more than a few pieces of a tensor are in memory at a time.
   *
   * @throws IllegalArgumentException as {@link PostHoc#weights}
   * @throws IllegalStateException as {@link #reconstruct(Profile)}
   * @throws CheckpointException as {@link #reconstruct(Profile)}
   * @throws IOException if the file cannot be written; one that was there before is as it was
   */
  public void reconstruct(Profile target, Path file) throws IOException {
    try (StateDict<?> average = streamed(target, Long.MAX_VALUE, bytes -> {})) {
      TensorFile.write(file, average, ImmutableMap.of());
    }
  }

  /**
   * Returns the average of a profile, as {@link #reconstruct(Profile)} does, as a state dict that
   * is made while it is written, by {@link Merge#stateDict}. It lives as long as the store is open;
   * closing it ends its threads.
   *
   * @param memoryBytes as there
   * @param progress as there
   * @throws IllegalArgumentException as {@link PostHoc#weights}, or if there is too little memory
   * @throws IllegalStateException as {@link #reconstruct(Profile)}
   * @throws CheckpointException as {@link #reconstruct(Profile)}
   */
  public StateDict<?> streamed(Profile target, long memoryBytes, LongConsumer progress) {
    MergePlan plan = plan(target);
    plan.entries().stream()
        .flatMap(entry -> entry.terms().stream())
        .mapToInt(MergePlan.Term::input)
        .distinct()
        .forEach(index -> store.verify(snapshots.get(index)));
    List<StateDict<?>> states = new ArrayList<>();
    snapshots.forEach(snapshot -> states.add(snapshot.state()));
    return Merge.stateDict(plan, states, memoryBytes, progress);
  }

  /**
   * Returns what the average of a profile consists of, to be computed elsewhere.
   *
   * @return a plan whose inputs are the snapshots, in the order of {@link #profiles}
   * @throws IllegalArgumentException as {@link PostHoc#weights}
   * @throws IllegalStateException if there are no snapshots, or the store is closed
   */
  public MergePlan plan(Profile target) {
    requireSnapshots();
    double[] weights = PostHoc.weights(profiles(), target);
    int copied = lastUpTo(target.time());
    return new MergePlan(
        layout.places().stream()
            .map(place -> entry(place, weights, copied))
            .collect(toImmutableList()));
  }

  private MergePlan.Entry entry(Place place, double[] weights, int copied) {
    String tensor = layout.places().get(place.first()).name(); // what is tied is one tensor
    ImmutableList.Builder<MergePlan.Term> terms = ImmutableList.builder();
    for (int i = 0; i < weights.length; i++) {
      if (place.combined() ? weights[i] != 0 : i == copied) { // an infinity times 0 would be NaN
        terms.add(new MergePlan.Term(i, tensor, place.spec().type(), weights[i]));
      }
    }
    return new MergePlan.Entry(
        place.name(), place.role(), place.spec(), place.combined(), terms.build());
  }

  /** Frees the snapshots in memory; files stay. Does nothing when called again. */
  @Override
  public void close() {
    closed = true;
    snapshots.forEach(store::close);
    snapshots.clear();
  }

  private void requireOpen() {
    checkState(!closed, "the snapshots are closed");
  }

  private void requireSnapshots() {
    requireOpen();
    checkState(!snapshots.isEmpty(), "there are no snapshots yet");
  }

  private int lastUpTo(long time) {
    int found = 0;
    for (int i = 0; i < snapshots.size(); i++) {
      if (snapshots.get(i).profile().time() <= time) {
        found = i;
      }
    }
    return found;
  }
}
