package io.github.ema4j.posthoc;

import static com.google.common.base.Preconditions.checkState;
import static com.google.common.collect.ImmutableList.toImmutableList;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.CheckpointFolder;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.internal.RowMajorReader;
import io.github.ema4j.internal.StreamedTensor;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.posthoc.SnapshotLayout.Place;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps snapshots in a folder, each as a safetensors file. They stay there and are mapped: of those
 * that are written, no more than one tensor is on the heap.
 */
final class FolderStore implements SnapshotStore {
  private static final Logger LOG = LoggerFactory.getLogger(Snapshots.class);
  private static final ArrayBackend ARRAYS = ArrayBackend.instance();
  private static final String EXTENSION = ".safetensors";
  private static final int PIECE_BYTES = 1 << 20;

  private final Path folder;
  private final boolean writable;
  private final Map<Profile, TensorFile> files = new HashMap<>();
  private final Set<Profile> verified = new HashSet<>();

  private FolderStore(Path folder, boolean writable) {
    this.folder = folder;
    this.writable = writable;
  }

  /** Opens a folder for reading. */
  static FolderStore reading(Path folder) {
    return new FolderStore(folder, false);
  }

  /**
   * Opens a folder to keep snapshots in, which is created if it is missing, and deletes what a
   * process that died while it was writing has left there.
   *
   * @throws IOException if it cannot be created or read
   */
  static FolderStore keeping(Path folder) throws IOException {
    Files.createDirectories(folder);
    CheckpointFolder.deleteAbandoned(folder);
    return new FolderStore(folder, true);
  }

  /** The snapshots of a folder. */
  record Found(SnapshotLayout layout, List<Snapshot> snapshots) {}

  /**
   * Opens all snapshots that there are.
   *
   * @return empty if there are none
   * @throws IOException if a file cannot be read
   * @throws CheckpointException if files are no sound snapshots, or not all of one training, with
   *     the reason for each
   */
  Optional<Found> open() throws IOException {
    List<String> problems = new ArrayList<>();
    List<TensorFile> opened = new ArrayList<>();
    for (Path path : paths()) {
      try {
        opened.add(TensorFile.open(path));
      } catch (CheckpointException e) {
        problems.add(e.getMessage());
      }
    }
    return take(opened, problems);
  }

  /**
   * Takes open files, to be closed with the store.
   *
   * @return empty if there are none
   * @throws CheckpointException as {@link #open}
   */
  Optional<Found> take(List<TensorFile> opened) {
    return take(opened, new ArrayList<>());
  }

  private Optional<Found> take(List<TensorFile> opened, List<String> problems) {
    List<Snapshot> snapshots = new ArrayList<>();
    Optional<SnapshotLayout> common = Optional.empty();
    for (TensorFile file : opened) {
      try {
        SnapshotLayout layout = SnapshotFile.layout(file);
        Snapshot snapshot = snapshot(SnapshotFile.profile(file), file);
        common = common.or(() -> Optional.of(layout));
        if (!layout.equals(common.get())) {
          throw new CheckpointException(
              file.path(), "its entries are not those of " + file(snapshots.get(0)).path());
        }
        snapshots.add(snapshot);
      } catch (CheckpointException e) {
        problems.add(e.getMessage());
      }
    }
    if (!problems.isEmpty()) {
      opened.forEach(TensorFile::close);
      throw new CheckpointException(
          folder,
          "these files cannot be used; take them out of the folder:\n  "
              + String.join("\n  ", problems));
    }
    return common.map(layout -> new Found(layout, snapshots));
  }

  private ImmutableList<Path> paths() throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(path -> path.toString().endsWith(EXTENSION))
          .sorted()
          .collect(toImmutableList());
    }
  }

  /** Takes an open file as that of a snapshot. */
  private Snapshot snapshot(Profile profile, TensorFile file) {
    TensorFile other = files.putIfAbsent(profile, file);
    if (other != null) {
      throw new CheckpointException(
          file.path(), String.format("%s is of the same %s", other.path(), profile));
    }
    return new Snapshot(profile, file.stateDict());
  }

  @Override
  public <T> Snapshot keep(Profile profile, SnapshotLayout layout, Tensors<T> state) {
    checkState(writable, "the folder %s was opened for reading; Snapshots.inFolder adds", folder);
    RowMajorReader reader = new RowMajorReader(PIECE_BYTES);
    List<StreamedTensor> tensors = new ArrayList<>();
    for (int i = 0; i < layout.places().size(); i++) {
      Place place = layout.places().get(i);
      if (place.first() == i) {
        Entry<T> source = state.entries().get(i);
        tensors.add(
            new StreamedTensor(place.spec(), sink -> copy(place, state, source, reader, sink)));
      }
    }
    List<Entry<StreamedTensor>> entries = layout.entries(tensors);
    TensorPairs.copying(new Tensors<>("snapshot", StreamedTensor.BACKEND, entries), state); // ties
    StateDict.Builder<StreamedTensor> contents = StateDict.builder(StreamedTensor.BACKEND);
    entries.forEach(entry -> contents.add(entry.name(), entry.tensor(), entry.role()));
    Path path =
        folder.resolve(
            String.format(
                Locale.ROOT,
                "snapshot-%012d-gamma%s%s",
                profile.time(),
                profile.gamma(),
                EXTENSION));
    try {
      TensorFile.write(path, contents.build(), SnapshotFile.notes(profile, layout));
      return snapshot(profile, TensorFile.open(path));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static <T> void copy(
      Place place,
      Tensors<T> state,
      Entry<T> source,
      RowMajorReader reader,
      RowMajorReader.Sink sink)
      throws IOException {
    ArrayTensor copy = ARRAYS.allocate(List.of(place.spec())).get(0);
    Entry<ArrayTensor> entry = new Entry<>(place.name(), copy, place.spec(), place.role());
    Tensors<ArrayTensor> copied = new Tensors<>("snapshot", ARRAYS, List.of(entry));
    TensorPairs.copying(copied, new Tensors<>(state.owner(), state.backend(), List.of(source)))
        .copy();
    reader.read(copied, entry, sink);
  }

  @Override
  public void verify(Snapshot snapshot) {
    if (!verified.contains(snapshot.profile())) {
      file(snapshot).verify();
      verified.add(snapshot.profile());
    }
  }

  @Override
  public void drop(Snapshot snapshot) {
    Path path = file(snapshot).path();
    close(snapshot);
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      LOG.warn("Cannot delete the old snapshot {}", path, e); // newer ones are safe all the same
    }
  }

  @Override
  public void supersede(Snapshot snapshot) {
    Path path = file(snapshot).path();
    Path aside = path.resolveSibling(path.getFileName() + ".superseded");
    LOG.warn("The training goes on from before {}, which is now {}", path, aside.getFileName());
    close(snapshot);
    try {
      Files.move(path, aside, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close(Snapshot snapshot) {
    file(snapshot).close();
    files.remove(snapshot.profile());
    verified.remove(snapshot.profile());
  }

  private TensorFile file(Snapshot snapshot) {
    return requireNonNull(files.get(snapshot.profile()));
  }
}
