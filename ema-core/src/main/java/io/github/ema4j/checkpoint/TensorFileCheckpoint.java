package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Finds model and averages among the tensors of a file. */
final class TensorFileCheckpoint {
  private static final ImmutableMap<String, String> PLAIN_FORMS =
      ImmutableMap.of("model_state_dict", "ema_state_dict", "state_dict", "state_dict_ema");

  private TensorFileCheckpoint() {}

  /**
   * Interprets a file, which is closed with the result.
   *
   * @throws CheckpointException if it contradicts itself
   */
  static Checkpoint of(TensorFile file) {
    return file.metadata().containsKey(CheckpointContent.FORMAT) ? own(file) : plain(file);
  }

  private static Checkpoint own(TensorFile file) {
    Map<String, String> metadata = file.metadata();
    String version = metadata.get(CheckpointContent.FORMAT);
    if (!CheckpointContent.FORMAT_VERSION.equals(version)) {
      throw failure(
          file,
          CheckpointContent.FORMAT,
          "it is of version " + version + ", and this program reads version 1; update it");
    }
    String live = metadata.getOrDefault(CheckpointContent.LIVE, CheckpointContent.LIVE_MODEL);
    if (!live.equals(CheckpointContent.LIVE_MODEL)) {
      throw failure(
          file,
          CheckpointContent.LIVE,
          "the model had the weights of '" + live + "' when it was saved, not its own");
    }
    ImmutableMap.Builder<String, SavedAverage> averages = ImmutableMap.builder();
    int count = averageCount(file);
    for (int i = 0; i < count; i++) {
      AverageMetadata average = AverageMetadata.read(file.path(), metadata, i);
      averages.put(
          average.name(),
          new SavedAverage(
              part(file, average.prefix()),
              Optional.of(average.config()),
              Optional.of(average.progress())));
    }
    StateDict<FileTensor> model =
        metadata.containsKey(CheckpointContent.LIVE)
            ? part(file, CheckpointContent.MODEL_PREFIX)
            : null;
    return checkpoint(file, model, uniquely(file, averages));
  }

  private static int averageCount(TensorFile file) {
    String text = file.metadata().getOrDefault(AverageMetadata.COUNT, "");
    if (!text.matches("[1-9][0-9]{0,3}")) {
      throw failure(file, AverageMetadata.COUNT, "'" + text + "' is not a number of averages");
    }
    return Integer.parseInt(text);
  }

  private static ImmutableMap<String, SavedAverage> uniquely(
      TensorFile file, ImmutableMap.Builder<String, SavedAverage> averages) {
    try {
      return averages.buildOrThrow();
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file.path(), null, "two averages have one name", e);
    }
  }

  private static Checkpoint plain(TensorFile file) {
    for (String separator : List.of(".", "/")) {
      for (Map.Entry<String, String> form : PLAIN_FORMS.entrySet()) {
        String modelPrefix = form.getKey() + separator;
        String averagePrefix = form.getValue() + separator;
        if (has(file, averagePrefix)) {
          return checkpoint(
              file,
              has(file, modelPrefix) ? file.stateDict(modelPrefix) : null,
              Map.of("", SavedAverage.ofOthers(file.stateDict(averagePrefix))));
        }
        if (has(file, modelPrefix)) {
          return checkpoint(file, file.stateDict(modelPrefix), Map.of());
        }
      }
    }
    return checkpoint(file, file.stateDict(), Map.of());
  }

  private static Checkpoint checkpoint(
      TensorFile file, @Nullable StateDict<FileTensor> model, Map<String, SavedAverage> averages) {
    return new Checkpoint(file.path(), file.metadata(), model, averages, file::verify, file::close);
  }

  private static boolean has(TensorFile file, String prefix) {
    return file.tensors().keySet().stream().anyMatch(name -> name.startsWith(prefix));
  }

  private static StateDict<FileTensor> part(TensorFile file, String prefix) {
    if (!has(file, prefix)) {
      throw failure(file, prefix, "there are no tensors whose names begin so");
    }
    return file.stateDict(prefix);
  }

  private static CheckpointException failure(TensorFile file, String entry, String reason) {
    return new CheckpointException(file.path(), entry, reason, null);
  }
}
