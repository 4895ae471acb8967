package io.github.ema4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Averages that can be saved together with their model, and resumed.
 *
 * <p>A checkpoint has the weights of the model that was seen last, by the last update or when the
 * average was made; the averages; how far they have come; and their configuration. A run that is
 * resumed from it goes on as if it had not stopped, as far as averages and weights are concerned:
 * what the optimiser remembers is saved by the framework.
 */
public interface Resumable {

  /**
   * Saves model and averages as a safetensors file, durably: whatever happens meanwhile, the file
   * is either the new one as a whole or what it was before.
   *
   * @throws IOException if it cannot be written
   * @throws IllegalStateException if a swap is open, the average is closed or in use by another
   *     thread, or a tensor is closed or released
   */
  void save(Path file) throws IOException;

  /**
   * Returns a copy of model and averages in host memory, to be written by another thread while
   * training goes on. The caller closes it, which frees the copy.
   *
   * @throws IllegalStateException as {@link #save}
   */
  CheckpointContent capture();

  /**
   * Goes on from a checkpoint: the averages and how far they had come are as they were, and the
   * model that was seen last gets its own weights of then, if the file has them. Entries pair by
   * name. From files of other programs, the average goes on with its schedule begun anew, of which
   * a warning is logged; without an average in the file, it starts from the model that is loaded,
   * of which a warning is logged, too.
   *
   * <p>The file is verified before anything is changed.
   *
   * @param choice what happens if the configuration is not what it was; that of device and canary
   *     may differ
   * @throws IOException if the file cannot be read
   * @throws CheckpointException if its content is not what it should be, or was damaged
   * @throws IllegalArgumentException if it does not pair with model or averages, with every
   *     difference; or the configurations differ and the choice is to refuse, with both values
   * @throws IllegalStateException as {@link #save}
   */
  default void resumeFrom(Path file, OnConfigChange choice) throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      resumeFrom(checkpoint, choice);
    }
  }

  /**
   * Goes on from a checkpoint that was opened otherwise, as {@link #resumeFrom(Path,
   * OnConfigChange)}. It stays the caller's.
   */
  void resumeFrom(Checkpoint checkpoint, OnConfigChange choice);

  /**
   * Goes on from a checkpoint of the same configuration, as {@link #resumeFrom(Path,
   * OnConfigChange)}.
   *
   * @throws IOException as {@link #resumeFrom(Path, OnConfigChange)}
   */
  default void resumeFrom(Path file) throws IOException {
    resumeFrom(file, OnConfigChange.REFUSE);
  }

  /**
   * Goes on from the newest sound checkpoint that a {@link CheckpointFolder} has, if it has any; a
   * damaged one is passed over, of which a warning is logged.
   *
   * @return the checkpoint; empty if the folder has none or is missing
   * @throws IOException as {@link #resumeFrom(Path, OnConfigChange)}
   * @throws CheckpointException if there are checkpoints and all are damaged
   */
  default Optional<Path> resumeFromLatest(Path folder, OnConfigChange choice) throws IOException {
    return CheckpointFolder.resumeLatest(this, folder, choice);
  }

  /**
   * Goes on from the newest sound checkpoint of the same configuration, as {@link
   * #resumeFromLatest(Path, OnConfigChange)}.
   *
   * @throws IOException as {@link #resumeFrom(Path, OnConfigChange)}
   */
  default Optional<Path> resumeFromLatest(Path folder) throws IOException {
    return resumeFromLatest(folder, OnConfigChange.REFUSE);
  }
}
