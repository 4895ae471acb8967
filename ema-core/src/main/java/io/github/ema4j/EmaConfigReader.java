package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.base.Ascii;
import com.google.common.base.Joiner;
import com.google.common.primitives.Longs;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigValue;
import io.github.ema4j.internal.Checks;
import io.github.ema4j.schedule.InversePowerWarmup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Reads the section {@code ema.average}. Every key that has a meaning is asked for; what nobody
 * asked for is unknown. Problems are collected and reported together.
 */
final class EmaConfigReader {
  private static final String SECTION = "ema.average";
  private static final double DEFAULT_DECAY = 0.9999;

  private final Config config;
  private final Config section;
  private final TreeSet<String> known = new TreeSet<>();
  private final List<String> problems = new ArrayList<>();

  private EmaConfigReader(Config config) {
    this.config = config;
    this.section = section(config);
  }

  private static Config section(Config config) {
    try {
      return config.getConfig(SECTION);
    } catch (ConfigException.Missing e) {
      return ConfigFactory.empty();
    }
  }

  static EmaConfig load() {
    return parsed(ConfigFactory::load);
  }

  static EmaConfig load(Path file) {
    ConfigParseOptions strict = ConfigParseOptions.defaults().setAllowMissing(false);
    return parsed(() -> ConfigFactory.load(ConfigFactory.parseFile(file.toFile(), strict)));
  }

  private static EmaConfig parsed(Supplier<Config> source) {
    ConfigFactory.invalidateCaches(); // system properties may have changed
    Config config;
    try {
      config = source.get();
    } catch (ConfigException e) {
      throw new IllegalArgumentException("cannot read the configuration: " + e.getMessage(), e);
    }
    return read(config);
  }

  static EmaConfig read(Config config) {
    try {
      return new EmaConfigReader(config).read();
    } catch (ConfigException e) {
      throw new IllegalArgumentException("cannot read the configuration: " + e.getMessage(), e);
    }
  }

  private EmaConfig read() {
    EmaConfig start = value("preset", EmaConfig::preset, EmaConfig.defaults());
    EmaStrategy.Pairing pairing =
        choice("strategy", EmaStrategy.Pairing.class, start.strategy().pairing());
    EmaConfig read =
        start
            .withStrategy(new EmaStrategy(pairing, schedule()))
            .withRule(choice("rule", AveragingRule.class, start.rule()))
            .withPolicy(policy(start.policy()))
            .withShadowType(choice("shadowType", ShadowType.class, start.shadowType()));
    Device device = value("device", Device::parse, Device.CPU);
    reportUnknownKeys();
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "the configuration has problems:\n  " + Joiner.on("\n  ").join(problems));
    }
    return section.hasPath("device") ? read.withDevice(device) : read;
  }

  private EntryPolicy policy(EntryPolicy start) {
    EntryPolicy policy = start;
    for (Role role : Role.values()) {
      policy =
          policy.with(
              role, choice("policy." + spelled(role), Treatment.class, start.treatment(role)));
    }
    return policy;
  }

  private enum ScheduleType {
    CONSTANT,
    INVERSE_POWER_WARMUP
  }

  private DecaySchedule schedule() {
    ScheduleType type = choice("schedule.type", ScheduleType.class, ScheduleType.CONSTANT);
    double decay = fraction("schedule.decay", DEFAULT_DECAY);
    return switch (type) {
      case CONSTANT -> DecaySchedule.constant(decay);
      case INVERSE_POWER_WARMUP -> {
        InversePowerWarmup defaults = DecaySchedule.inversePowerWarmup(decay);
        yield defaults
            .withGamma(positive("schedule.gamma", defaults.gamma()))
            .withPower(positive("schedule.power", defaults.power()))
            .withMinDecay(fraction("schedule.minDecay", defaults.minDecay()))
            .withUpdateAfter(count("schedule.updateAfter", defaults.updateAfter()));
      }
    };
  }

  private double fraction(String key, double absent) {
    return value(
        key,
        text -> {
          double number = Double.parseDouble(text);
          Checks.decay("the value", number);
          return number;
        },
        absent);
  }

  private double positive(String key, double absent) {
    return value(
        key,
        text -> {
          double number = Double.parseDouble(text);
          Checks.positive("the value", number);
          return number;
        },
        absent);
  }

  private long count(String key, long absent) {
    return value(
        key,
        text -> {
          Long number = Longs.tryParse(text);
          checkArgument(number != null, "must be a whole number, but was '%s'", text);
          Checks.notNegative("the value", number);
          return number;
        },
        absent);
  }

  private <E extends Enum<E>> E choice(String key, Class<E> type, E absent) {
    return value(
        key,
        text ->
            Arrays.stream(type.getEnumConstants())
                .filter(constant -> spelled(constant).equals(text))
                .findFirst()
                .orElseThrow(
                    () ->
                        new IllegalArgumentException(
                            "must be one of "
                                + Joiner.on(", ")
                                    .join(
                                        Arrays.stream(type.getEnumConstants())
                                            .map(EmaConfigReader::spelled)
                                            .iterator())
                                + ", but was '"
                                + text
                                + "'")),
        absent);
  }

  private static String spelled(Enum<?> constant) {
    return Ascii.toLowerCase(constant.name()).replace('_', '-');
  }

  private <V> V value(String key, Function<String, V> parse, V absent) {
    known.add(key);
    String path = SECTION + "." + key;
    try {
      if (!config.hasPath(path)) {
        return absent;
      }
      return parse.apply(config.getString(path));
    } catch (NumberFormatException e) {
      problem(key, "must be a number, but was '" + config.getString(path) + "'");
    } catch (IllegalArgumentException e) {
      problem(key, e.getMessage());
    } catch (ConfigException e) {
      problems.add(e.getMessage());
    }
    return absent;
  }

  private void problem(String key, @Nullable String what) {
    problems.add(
        section.getValue(key).origin().description() + ": " + SECTION + "." + key + ": " + what);
  }

  private void reportUnknownKeys() {
    for (Map.Entry<String, ConfigValue> entry : section.entrySet()) {
      String key = entry.getKey(); // quoted where a name has a dot in it
      if (!known.contains(key)) {
        problems.add(
            entry.getValue().origin().description()
                + ": unknown key "
                + SECTION
                + "."
                + key
                + "; known are "
                + Joiner.on(", ").join(known));
      }
    }
  }
}
