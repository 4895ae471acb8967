package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.collect.ImmutableSet.toImmutableSet;

import com.google.common.base.Splitter;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSet;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Says under which keys a PyTorch checkpoint has the model's weights and the average.
 *
 * <p>Keys in keys are joined by {@code /}: {@code callbacks/ema} is what the dict under {@code
 * callbacks} has under {@code ema}. The empty key is the whole file.
 */
public final class PthLayout {

  /** timm's {@code CheckpointSaver}: {@code state_dict} and {@code state_dict_ema}. */
  public static final PthLayout TIMM =
      new PthLayout("timm", part("state_dict"), part("state_dict_ema"), false);

  /** The plain form: {@code model_state_dict} and {@code ema_state_dict}. */
  public static final PthLayout PLAIN =
      new PthLayout("plain", part("model_state_dict"), part("ema_state_dict"), false);

  /** The state dict of a model, and nothing else. */
  public static final PthLayout STATE_DICT =
      new PthLayout("state-dict", part(""), Optional.empty(), false);

  /**
   * The state dict of a {@code torch.optim.swa_utils.AveragedModel}, and nothing else: names begin
   * with {@code module.}, and {@code n_averaged} counts the updates.
   */
  public static final PthLayout AVERAGED_MODEL =
      new PthLayout("averaged-model", Optional.empty(), averagedModel(""), false);

  /**
   * MMEngine's {@code EMAHook}, which swaps the two: {@code state_dict} is the average, and {@code
   * ema_state_dict} the model's own weights, whose names begin with {@code module.}, with {@code
   * steps} that counts the updates. A file without {@code ema_state_dict} has the model's weights
   * in {@code state_dict}.
   */
  public static final PthLayout MMENGINE =
      new PthLayout(
          "mmengine",
          Optional.of(new Part("ema_state_dict", Optional.of("steps"))),
          part("state_dict"),
          true);

  private static final ImmutableList<PthLayout> NAMED =
      ImmutableList.of(TIMM, PLAIN, STATE_DICT, AVERAGED_MODEL, MMENGINE);

  /**
   * Where one state dict is.
   *
   * @param key its key
   * @param counter the name under which it counts updates, if it is that of a wrapper around the
   *     model, which also puts {@code module.} before each name
   */
  record Part(String key, Optional<String> counter) {}

  private final String name;
  private final Optional<Part> model;
  private final Optional<Part> average;
  private final boolean swapped;

  /** What a wrapper around a model puts before the names. */
  static final String WRAPPER = "module.";

  private PthLayout(String name, Optional<Part> model, Optional<Part> average, boolean swapped) {
    this.name = name;
    this.model = model;
    this.average = average;
    this.swapped = swapped;
  }

  private static Optional<Part> part(String key) {
    return Optional.of(new Part(key, Optional.empty()));
  }

  private static Optional<Part> averagedModel(String key) {
    return Optional.of(new Part(key, Optional.of("n_averaged")));
  }

  /**
   * Returns the layout with these keys.
   *
   * @throws IllegalArgumentException if one is the other, or leads into it
   */
  public static PthLayout of(String modelKey, String averageKey) {
    checkArgument(
        !leadsInto(modelKey, averageKey) && !leadsInto(averageKey, modelKey),
        "the model's key '%s' and the average's '%s' must be apart",
        modelKey,
        averageKey);
    return new PthLayout(modelKey + " and " + averageKey, part(modelKey), part(averageKey), false);
  }

  /**
   * Returns the layout of this name: {@code timm}, {@code plain}, {@code state-dict}, {@code
   * averaged-model} or {@code mmengine}.
   *
   * @throws IllegalArgumentException if there is none, with all names
   */
  public static PthLayout named(String name) {
    List<String> names = NAMED.stream().map(PthLayout::name).toList();
    int index = names.indexOf(name);
    if (index < 0) {
      throw new IllegalArgumentException("layout must be one of " + names + ", but was " + name);
    }
    return NAMED.get(index);
  }

  /**
   * Returns this layout with the average as the state dict of a {@code
   * torch.optim.swa_utils.AveragedModel}, such as TorchVision's {@code model_ema}.
   *
   * @throws IllegalStateException if this layout has no average
   */
  public PthLayout withAveragedModel() {
    Part part = average.orElseThrow(() -> new IllegalStateException(name + " has no average"));
    return new PthLayout(name + " as an AveragedModel", model, averagedModel(part.key), swapped);
  }

  private static boolean leadsInto(String key, String outer) {
    return outer.isEmpty() || (key + "/").startsWith(outer + "/");
  }

  /** Returns its name; a layout of the user's is named after its keys. */
  public String name() {
    return name;
  }

  Optional<Part> model() {
    return model;
  }

  Optional<Part> average() {
    return average;
  }

  /** Returns what is put beside the state dicts unless the user says otherwise. */
  ImmutableMap<String, Object> values() {
    // Version 2: the epoch is the last one that was completed.
    return name.equals("timm") ? ImmutableMap.of("version", 2) : ImmutableMap.of();
  }

  /** Returns the keys at the top of the file that lead to state dicts; the empty one is all. */
  ImmutableSet<String> keysAtTop() {
    return Stream.of(model, average)
        .flatMap(Optional::stream)
        .map(part -> Splitter.on('/').split(part.key).iterator().next())
        .collect(toImmutableSet());
  }

  /** Tells whether a state dict has a counter of updates. */
  boolean counts() {
    return Stream.of(model, average)
        .flatMap(Optional::stream)
        .anyMatch(part -> part.counter.isPresent());
  }

  /** Tells whether the average's place has the model's weights where the model's has none. */
  boolean swapped() {
    return swapped;
  }

  @Override
  public String toString() {
    return name;
  }
}
