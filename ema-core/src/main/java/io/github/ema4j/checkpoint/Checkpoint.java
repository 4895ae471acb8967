package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * An open checkpoint: a model's weights, its averages, and how far they had come.
 *
 * <p>Besides the form that {@link CheckpointContent} writes, those of other programs are
 * understood: safetensors files whose tensors' names begin with {@code model_state_dict} and {@code
 * ema_state_dict}, or with {@code state_dict} and {@code state_dict_ema}, and a dot or a slash; and
 * PyTorch's files with these keys, or in any {@link PthLayout}. A file without such names is a
 * model without an average.
 *
 * <p>The tensors stay in the file: see {@link TensorFile}. Thread-safe.
 */
public final class Checkpoint implements AutoCloseable {
  private final Path path;
  private final ImmutableMap<String, String> metadata;
  private final @Nullable StateDict<FileTensor> model;
  private final ImmutableMap<String, SavedAverage> averages;
  private final boolean verifiable;
  private final Runnable verifying;
  private final Runnable closing;

  /**
   * Takes what was found in a file.
   *
   * @param verifiable whether the file has what its bytes are checked by
   * @param verifying checks the file's bytes
   * @param closing closes the file
   */
  Checkpoint(
      Path path,
      Map<String, String> metadata,
      @Nullable StateDict<FileTensor> model,
      Map<String, SavedAverage> averages,
      boolean verifiable,
      Runnable verifying,
      Runnable closing) {
    this.path = path;
    this.metadata = ImmutableMap.copyOf(metadata);
    this.model = model;
    this.averages = ImmutableMap.copyOf(averages);
    this.verifiable = verifiable;
    this.verifying = verifying;
    this.closing = closing;
  }

  /**
   * Opens a safetensors file, the index of several, or a file of PyTorch's.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException if its content is not what it should be, or does not tell which
   *     weights are averaged
   */
  public static Checkpoint open(Path path) throws IOException {
    if (PthFile.isOne(path)) {
      PthFile file = PthFile.open(path);
      return closedUnlessRead(file::close, () -> of(file, layout(file)));
    }
    TensorFile file = TensorFile.open(path);
    return closedUnlessRead(file::close, () -> TensorFileCheckpoint.of(file));
  }

  /**
   * Opens a file that is not this machine's, as {@link #open(Path)} does. Only headers are read;
   * the tensors are not in memory. Takes the source, which is closed with the result, or if it
   * cannot be opened.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException as {@link #open(Path)}
   */
  public static Checkpoint open(FileSource source) throws IOException {
    try {
      FileBytes bytes = FileBytes.of(source);
      if (PthFile.isOne(bytes)) {
        PthFile file = PthFile.read(bytes, Set.of());
        return of(file, layout(file));
      }
    } catch (UncheckedIOException e) {
      source.close();
      throw e.getCause();
    } catch (RuntimeException | Error e) {
      source.close();
      throw e;
    }
    TensorFile file = TensorFile.open(source);
    return closedUnlessRead(file::close, () -> TensorFileCheckpoint.of(file));
  }

  /**
   * Opens a file of PyTorch's.
   *
   * @param layout under which keys it has the model and the average
   * @throws IOException if it cannot be read
   * @throws CheckpointException if its content is not what it should be
   */
  public static Checkpoint open(Path path, PthLayout layout) throws IOException {
    PthFile file = PthFile.open(path);
    return closedUnlessRead(file::close, () -> of(file, layout));
  }

  private static Checkpoint closedUnlessRead(Runnable closing, Supplier<Checkpoint> reading) {
    try {
      return reading.get();
    } catch (RuntimeException | Error e) {
      closing.run();
      throw e;
    }
  }

  private static Checkpoint of(PthFile file, PthLayout layout) {
    return new Checkpoint(
        file.path(),
        Map.of(),
        layout.model().isPresent() ? file.model(layout) : null,
        file.hasAverage(layout)
            ? Map.of("", SavedAverage.ofOthers(file.average(layout)))
            : Map.of(),
        file.hasChecksums(),
        file::verify,
        file::close);
  }

  private static PthLayout layout(PthFile file) {
    Set<String> keys = file.keys();
    if (keys.contains("state_dict") && keys.contains("ema_state_dict")) {
      throw new CheckpointException(
          file.path(),
          "state_dict has the average if MMEngine wrote the file, and the model's weights if others"
              + " did; open it with the layout that fits, such as mmengine or timm");
    }
    if (keys.contains("model_state_dict")) {
      return PthLayout.PLAIN;
    }
    return keys.contains("state_dict") ? PthLayout.TIMM : PthLayout.STATE_DICT;
  }

  /** Returns where the file is. */
  public Path path() {
    return path;
  }

  /** Returns what the file says beside its tensors. */
  public ImmutableMap<String, String> metadata() {
    return metadata;
  }

  /** Returns the model's own weights, if the file has them. */
  public Optional<StateDict<FileTensor>> model() {
    return Optional.ofNullable(model);
  }

  /** Returns the averages by name; one that is alone has the empty name. */
  public ImmutableMap<String, SavedAverage> averages() {
    return averages;
  }

  /**
   * Returns some of the weights by what they are called: {@code model}, {@code ema} for the only
   * average, or {@code ema.NAME} for one of several.
   *
   * @throws CheckpointException if the file does not have them, with what it has
   */
  public StateDict<FileTensor> weights(String which) {
    Map<String, StateDict<FileTensor>> all = new LinkedHashMap<>();
    if (model != null) {
      all.put("model", model);
    }
    averages.forEach(
        (name, average) -> all.put(name.isEmpty() ? "ema" : "ema." + name, average.weights()));
    if (averages.size() == 1) {
      all.put("ema", averages.values().iterator().next().weights());
    }
    StateDict<FileTensor> found = all.get(which);
    if (found == null) {
      throw new CheckpointException(
          path, "it has no weights called " + which + ", but " + String.join(", ", all.keySet()));
    }
    return found;
  }

  /** Tells whether the file carries digests or checksums, without which {@link #verify} passes. */
  public boolean isVerifiable() {
    return verifiable;
  }

  /**
   * Checks that the file's bytes are those that were written, as {@link TensorFile#verify} and
   * {@link PthFile#verify} do.
   *
   * @throws CheckpointException if a byte has changed
   * @throws IllegalStateException if the file is closed
   */
  public void verify() {
    verifying.run();
  }

  /** Closes the file; using its tensors is an error from then on. */
  @Override
  public void close() {
    closing.run();
  }
}
