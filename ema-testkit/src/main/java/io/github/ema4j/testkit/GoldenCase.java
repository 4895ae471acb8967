package io.github.ema4j.testkit;

import com.google.common.base.CharMatcher;
import com.google.common.base.Splitter;
import com.google.common.collect.ImmutableList;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.Device;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.schedule.InversePowerWarmup;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A run of timm's own code: the models that it saw, and the average that came out.
 *
 * @param name the name of the case
 * @param rule the class that ran, with its options, as the file says it
 * @param decay the (final) decay of one step
 * @param foreach whether ModelEmaV3 took its path of several operations, whose bits are no rule's
 *     of ours: an update with a rule of the kit's reproduces them
 * @param models the model from which the average starts, then the model after each step
 * @param expected the average after the last step
 */
public record GoldenCase(
    String name,
    String rule,
    double decay,
    boolean foreach,
    ImmutableList<StateDict<ArrayTensor>> models,
    StateDict<ArrayTensor> expected) {

  private static final Pattern SET = Pattern.compile("set\\(\\) at step (\\d+)");
  private static final Pattern OPTION = Pattern.compile("(\\w+)=([\\w./]+)");

  static GoldenCase of(SafetensorsFile file) {
    Map<String, String> metadata = file.metadata();
    int steps = Integer.parseInt(metadata.getOrDefault("steps", ""));
    ImmutableList.Builder<StateDict<ArrayTensor>> models = ImmutableList.builder();
    for (int step = 0; step <= steps; step++) {
      models.add(under("model/" + step + "/", file));
    }
    return new GoldenCase(
        metadata.getOrDefault("case", "unnamed"),
        metadata.getOrDefault("rule", ""),
        Double.parseDouble(metadata.getOrDefault("decay", "")),
        Boolean.parseBoolean(metadata.getOrDefault("foreach", "False")),
        models.build(),
        under("ema/", file));
  }

  private static StateDict<ArrayTensor> under(String prefix, SafetensorsFile file) {
    StateDict.Builder<ArrayTensor> entries = StateDict.builder(ArrayBackend.instance());
    file.tensors()
        .forEach(
            (path, tensor) -> {
              if (path.startsWith(prefix)) {
                String name = path.substring(prefix.length());
                entries.add(name, tensor, role(name, tensor));
              }
            });
    return entries.build();
  }

  private static Role role(String name, ArrayTensor tensor) {
    if (!tensor.spec().type().isFloating()) {
      return Role.COUNTER;
    }
    return name.endsWith("running_mean") || name.endsWith("running_var")
        ? Role.STATISTIC
        : Role.PARAMETER;
  }

  /** Returns why no preset reproduces this case, if none does. */
  public Optional<String> unsupported() {
    return preset().isEmpty() ? Optional.of("no preset for '" + rule + "'") : Optional.empty();
  }

  private Optional<String> preset() {
    List<String> words = Splitter.on(CharMatcher.anyOf(" ,")).splitToList(rule);
    return switch (words.size() < 2 ? "" : words.get(1)) {
      case "ModelEma" -> Optional.of("timm-v1");
      case "ModelEmaV2" -> Optional.of("timm-v2");
      case "ModelEmaV3" -> Optional.of("timm-v3");
      default -> Optional.empty();
    };
  }

  /** Returns the steps that set the average in place of updating it. */
  public Set<Integer> setSteps() {
    return SET.matcher(rule)
        .results()
        .map(match -> Integer.valueOf(match.group(1)))
        .collect(Collectors.toUnmodifiableSet());
  }

  /**
   * Returns the preset of the class that ran, with the case's decay and options.
   *
   * @throws IllegalArgumentException if there is none, or an option is unknown
   */
  public EmaConfig config() {
    EmaConfig config =
        EmaConfig.preset(preset().orElseThrow(() -> new IllegalArgumentException(rule)));
    InversePowerWarmup warmup = DecaySchedule.inversePowerWarmup(decay);
    Matcher options = OPTION.matcher(rule);
    while (options.find()) {
      String value = options.group(2);
      switch (options.group(1)) {
        case "gamma", "warmup_gamma" -> warmup = warmup.withGamma(number(value));
        case "power", "warmup_power" -> warmup = warmup.withPower(number(value));
        case "min_decay" -> warmup = warmup.withMinDecay(number(value));
        case "update_after_step" -> warmup = warmup.withUpdateAfter(Long.parseLong(value));
        case "device" -> config = config.withDevice(Device.parse(value));
        case "use_warmup", "exclude_buffers", "foreach", "decay" -> {
          // Read elsewhere.
        }
        default -> throw new IllegalArgumentException("unknown option in '" + rule + "'");
      }
    }
    if (isOn("exclude_buffers")) {
      config = config.withPolicy(config.policy().with(Role.STATISTIC, Treatment.COPY));
    }
    EmaStrategy.Pairing pairing = config.strategy().pairing();
    DecaySchedule schedule = isOn("(?:use_)?warmup") ? warmup : DecaySchedule.constant(decay);
    return config.withStrategy(new EmaStrategy(pairing, schedule));
  }

  /** Tells whether a word stands in the rule, alone or as {@code word=True}. */
  private boolean isOn(String word) {
    return Pattern.compile("\\b" + word + "(?:=True)?(?![=\\w])").matcher(rule).find();
  }

  private static double number(String text) {
    List<String> fraction = Splitter.on('/').limit(2).splitToList(text);
    double numerator = Double.parseDouble(fraction.get(0));
    return fraction.size() == 1 ? numerator : numerator / Double.parseDouble(fraction.get(1));
  }

  /** Returns the case's name, which test reports show. */
  @Override
  public String toString() {
    return name;
  }
}
