package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Finds model and averages among the tensors of a file. */
final class TensorFileCheckpoint {
  private static final ImmutableMap<String, String> PLAIN_FORMS =
      ImmutableMap.of("model_state_dict", "ema_state_dict", "state_dict", "state_dict_ema");

  /**
   * The tensors of a file by what their names begin with. Each is of one part, so that time and
   * memory do not grow with the number of averages that a file claims to have.
   */
  private record Parts(TensorFile file, Map<String, Map<String, FileTensor>> tensors) {
    private static final String ALONE = "ema.";
    private static final Pattern PREFIX = Pattern.compile("ema\\.([^.]+\\.)?");

    static Parts of(TensorFile file, List<String> prefixes) {
      Set<String> seen = new HashSet<>();
      for (String prefix : prefixes) {
        boolean nested = prefixes.size() > 1 && prefix.equals(ALONE);
        if (!PREFIX.matcher(prefix).matches() || nested || !seen.add(prefix)) {
          throw failure(file, prefix, "it is not the beginning of one average's names alone");
        }
      }
      Map<String, Map<String, FileTensor>> parts = new HashMap<>();
      file.tensors()
          .forEach(
              (name, tensor) ->
                  parts
                      .computeIfAbsent(
                          prefixOf(name, seen.contains(ALONE)), prefix -> new LinkedHashMap<>())
                      .put(name, tensor));
      return new Parts(file, parts);
    }

    /** Returns a name up to its first dot, or its second in an average that is not alone. */
    private static String prefixOf(String name, boolean alone) {
      boolean named = name.startsWith(ALONE) && !alone;
      return name.substring(0, name.indexOf('.', named ? ALONE.length() : 0) + 1);
    }

    StateDict<FileTensor> get(String prefix) {
      Map<String, FileTensor> part = tensors.get(prefix);
      if (part == null) {
        throw failure(file, prefix, "there are no tensors whose names begin so");
      }
      return new TensorFile(file.path(), Map.of(), part, List.of()).stateDict(prefix);
    }
  }

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
    String version = metadata.getOrDefault(CheckpointContent.FORMAT, "");
    if (!CheckpointContent.FORMAT_VERSION.equals(version)) {
      throw failure(
          file,
          CheckpointContent.FORMAT,
          "it is of version "
              + Unpickler.abbreviate(version)
              + ", and this program reads version 1; update it");
    }
    ShardIndex.checkHasAll(file);
    String live = metadata.getOrDefault(CheckpointContent.LIVE, CheckpointContent.LIVE_MODEL);
    if (!live.equals(CheckpointContent.LIVE_MODEL)) {
      throw failure(
          file,
          CheckpointContent.LIVE,
          "the model had the weights of '"
              + Unpickler.abbreviate(live)
              + "' when it was saved, not its own");
    }
    List<AverageMetadata> averages = averages(file);
    Parts parts = Parts.of(file, averages.stream().map(AverageMetadata::prefix).toList());
    ImmutableMap.Builder<String, SavedAverage> saved = ImmutableMap.builder();
    for (AverageMetadata average : averages) {
      saved.put(
          average.name(),
          new SavedAverage(
              parts.get(average.prefix()),
              Optional.of(average.config()),
              Optional.of(average.progress())));
    }
    StateDict<FileTensor> model =
        metadata.containsKey(CheckpointContent.LIVE)
            ? parts.get(CheckpointContent.MODEL_PREFIX)
            : null;
    return checkpoint(file, model, uniquely(file, saved));
  }

  private static List<AverageMetadata> averages(TensorFile file) {
    int count = averageCount(file);
    List<AverageMetadata> averages = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      averages.add(AverageMetadata.read(file.path(), file.metadata(), i));
    }
    return averages;
  }

  private static int averageCount(TensorFile file) {
    String text = file.metadata().getOrDefault(AverageMetadata.COUNT, "");
    if (!text.matches("[1-9][0-9]{0,3}")) {
      throw failure(
          file,
          AverageMetadata.COUNT,
          "'" + Unpickler.abbreviate(text) + "' is not a number of averages");
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
    return new Checkpoint(
        file.path(),
        file.metadata(),
        model,
        averages,
        file.hasDigests(),
        file::verify,
        file::close);
  }

  private static boolean has(TensorFile file, String prefix) {
    return file.tensors().keySet().stream().anyMatch(name -> name.startsWith(prefix));
  }

  private static CheckpointException failure(TensorFile file, String entry, String reason) {
    return new CheckpointException(file.path(), entry, reason, null);
  }
}
