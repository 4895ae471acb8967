package io.github.ema4j.checkpoint;

import io.github.ema4j.EmaConfig;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import java.util.Optional;

/**
 * An average as a checkpoint has it.
 *
 * @param weights the averaged weights, which live as long as the checkpoint is open
 * @param configText what {@link EmaConfig#toString} said of its configuration, the schedule
 *     included; empty in files of other programs
 * @param progress how far it had come; empty in files of other programs
 */
public record SavedAverage(
    StateDict<FileTensor> weights, Optional<String> configText, Optional<Progress> progress) {

  /** Returns an average of which its file says nothing more. */
  static SavedAverage ofOthers(StateDict<FileTensor> weights) {
    return new SavedAverage(weights, Optional.empty(), Optional.empty());
  }
}
