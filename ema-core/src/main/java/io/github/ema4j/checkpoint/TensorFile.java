package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * An open file of named tensors, for reading. The tensors stay in the file, which is mapped: what
 * is not used is not read, and none is copied to the heap.
 *
 * <pre>{@code
 * try (TensorFile file = TensorFile.open(Path.of("model.safetensors"))) {
 *   ema.load(file.stateDict());
 * }
 * }</pre>
 *
 * <p>Names, types, shapes and places of all tensors have been checked when a file is open. It must
 * not be changed while it is. Thread-safe.
 */
public final class TensorFile implements AutoCloseable {
  /** How many bytes of tensors shards have at most if nothing else is wanted: 5 GB. */
  public static final long SHARD_BYTES = 5_000_000_000L;

  private final Path path;
  private final ImmutableMap<String, String> metadata;
  private final ImmutableMap<String, FileTensor> tensors;
  private final ImmutableList<FileBytes> parts;

  /** By file name; of parts that do not have their own. */
  private final ImmutableMap<String, String> digests;

  /**
   * Takes what a reader found.
   *
   * @param parts the files that the tensors lie in, which are closed with this one
   */
  TensorFile(
      Path path,
      Map<String, String> metadata,
      Map<String, FileTensor> tensors,
      List<FileBytes> parts) {
    this(path, metadata, tensors, parts, Map.of());
  }

  private TensorFile(
      Path path,
      Map<String, String> metadata,
      Map<String, FileTensor> tensors,
      List<FileBytes> parts,
      Map<String, String> digests) {
    this.path = path;
    this.metadata = ImmutableMap.copyOf(metadata);
    this.tensors = ImmutableMap.copyOf(tensors);
    this.parts = ImmutableList.copyOf(parts);
    this.digests = ImmutableMap.copyOf(digests);
  }

  /** Returns this file with what else tells its parts' digests, by file name. */
  TensorFile withDigests(Map<String, String> newDigests) {
    return new TensorFile(path, metadata, tensors, parts, newDigests);
  }

  /**
   * Opens a safetensors file, or the index ({@code .index.json}) of several.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException if its content is not what it should be
   */
  public static TensorFile open(Path path) throws IOException {
    return path.toString().endsWith(ShardIndex.ENDING) ? ShardIndex.open(path) : openSingle(path);
  }

  /**
   * Opens a safetensors file, or the index ({@code .index.json}) of several, that is not this
   * machine's. Only headers are read; the tensors are not in memory. Takes the source, which is
   * closed with the result, or if it cannot be opened.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException if its content is not what it should be
   */
  public static TensorFile open(FileSource source) throws IOException {
    return source.path().toString().endsWith(ShardIndex.ENDING)
        ? ShardIndex.open(source)
        : openSingle(FileBytes.of(source));
  }

  static TensorFile openSingle(Path path) throws IOException {
    return openSingle(FileBytes.map(path));
  }

  static TensorFile openSingle(FileBytes bytes) throws IOException {
    try {
      return Safetensors.read(bytes);
    } catch (UncheckedIOException e) {
      bytes.close();
      throw e.getCause();
    } catch (RuntimeException | Error e) {
      bytes.close();
      throw e;
    }
  }

  /**
   * Writes tensors under their own names, such as those of an average for release, as a safetensors
   * file, durably: it takes its place when all of it is on the disk. Each tensor is opened once,
   * one after another.
   *
   * @param notes what the file says beside its tensors
   * @throws IllegalArgumentException if names and notes do not fit a header, or a note is the
   *     checksum's
   * @throws IOException if it cannot be written; a file that was there before is as it was
   * @throws IllegalStateException if a tensor is closed or released
   */
  public static void write(Path file, StateDict<?> tensors, Map<String, String> notes)
      throws IOException {
    writer(tensors, notes).write(file);
  }

  /**
   * Writes tensors under their own names as several safetensors files and their index, as {@link
   * CheckpointContent#writeShards}.
   *
   * @param notes what each of the files says beside its tensors
   * @return the index, which is to be opened
   * @throws IllegalArgumentException if the limit is not positive, or as {@link #write}
   * @throws IOException as {@link #write}
   * @throws IllegalStateException as {@link #write}
   */
  public static Path writeShards(
      Path file, StateDict<?> tensors, Map<String, String> notes, long maxShardBytes)
      throws IOException {
    return writer(tensors, notes).writeShards(file, maxShardBytes);
  }

  private static SafetensorsWriter writer(StateDict<?> tensors, Map<String, String> notes) {
    tensors.refresh();
    SafetensorsWriter writer = new SafetensorsWriter();
    checkArgument(!notes.containsKey(Sha256Field.KEY), "'%s' is computed", Sha256Field.KEY);
    notes.forEach(writer::note);
    writer.add("", tensors, "state dict");
    return writer;
  }

  /** Returns where the file is. */
  public Path path() {
    return path;
  }

  /** Returns what the file says beside its tensors. */
  public ImmutableMap<String, String> metadata() {
    return metadata;
  }

  /** Returns the same without the digest, as {@link #write} takes it. */
  public ImmutableMap<String, String> notes() {
    return ImmutableMap.copyOf(Maps.filterKeys(metadata, key -> !key.equals(Sha256Field.KEY)));
  }

  /** Returns the tensors by name, in the file's order. */
  public ImmutableMap<String, FileTensor> tensors() {
    return tensors;
  }

  /** Returns all tensors as a state dict, in the file's order. */
  public StateDict<FileTensor> stateDict() {
    return stateDict("");
  }

  /**
   * Returns the tensors whose names begin so as a state dict, in the file's order, under their
   * names without the prefix. Files do not tell roles: what is floating-point is a {@link
   * Role#PARAMETER} here, all else a {@link Role#COUNTER}. The state dict lives as long as the file
   * is open.
   *
   * @param prefix such as {@code ema.}; empty for all tensors
   * @throws IllegalArgumentException if no tensor's name begins so
   * @throws IllegalStateException if the file is closed
   */
  public StateDict<FileTensor> stateDict(String prefix) {
    StateDict.Builder<FileTensor> state = StateDict.builder(FileBackend.INSTANCE);
    boolean[] any = {false};
    tensors.forEach(
        (name, tensor) -> {
          if (name.startsWith(prefix)) {
            any[0] = true;
            Role role = tensor.spec().type().isFloating() ? Role.PARAMETER : Role.COUNTER;
            state.add(name.substring(prefix.length()), tensor, role);
          }
        });
    checkArgument(
        any[0] || prefix.isEmpty(), "%s has no tensors whose names begin with '%s'", path, prefix);
    return state.build();
  }

  /**
   * Checks what the file says of itself: that its bytes are those that were written. Reads all of
   * it. Files that do not say it, as those of other programs, pass.
   *
   * @throws CheckpointException if a byte has changed
   * @throws IllegalStateException if the file is closed
   */
  public void verify() {
    for (FileBytes part : parts) {
      Safetensors.verify(part);
      String digest = digests.get(String.valueOf(part.path().getFileName()));
      if (digest != null) {
        Safetensors.verify(part, digest);
      }
    }
  }

  boolean hasDigests() {
    return !digests.isEmpty() || metadata.containsKey(Sha256Field.KEY);
  }

  ImmutableList<FileBytes> parts() {
    return parts;
  }

  /**
   * Closes the file; using its tensors is an error from then on. Mapped memory is given back when
   * it is garbage.
   */
  @Override
  public void close() {
    parts.forEach(FileBytes::close);
  }
}
