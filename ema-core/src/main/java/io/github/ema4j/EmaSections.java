package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import com.google.common.base.Joiner;
import com.google.common.collect.ImmutableMap;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigValue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** Reads all that a configuration says under {@code ema}, and tells all that is wrong with it. */
final class EmaSections {
  private static final String AVERAGE = "ema.average";
  private static final String BANK = "ema.bank";

  /** What there is under {@code ema}; golden and test are the conformance kit's. */
  private static final Set<String> SIBLINGS =
      Set.of("average", "profiles", "bank", "kernel", "threads", "golden", "test");

  /** What is the whole process's, and read before any file is. */
  private static final Set<String> PROPERTIES = Set.of("kernel", "threads");

  /** Time to read a text grows faster than its length; that of an average has some hundred. */
  private static final int MOST_SAVED = 1 << 14;

  private final Set<String> problems = new LinkedHashSet<>();
  private final ConfigProfiles profiles;
  private final EmaConfig average;
  private final ImmutableMap<String, EmaConfig> byProfile;
  private final ImmutableMap<String, DecaySchedule> bank;

  private EmaSections(Config config) {
    if (config.hasPath("ema")) {
      ConfigLayer.at(config, "ema", problems).keys().root().forEach(this::checkSibling);
    }
    profiles = new ConfigProfiles(config, problems);
    average = read(ConfigLayer.at(config, AVERAGE, problems));
    ImmutableMap.Builder<String, EmaConfig> read = ImmutableMap.builder();
    for (String name : profiles.names()) {
      read.put(name, read(profiles.profile(name)));
    }
    byProfile = read.buildOrThrow();
    bank = readBank(config);
    checkArgument(
        problems.isEmpty(),
        "the configuration has problems:\n  %s",
        Joiner.on("\n  ").join(problems));
  }

  /**
   * A slip in the section's own name would go unnoticed: nothing but the defaults would be read.
   */
  private void checkSibling(String key, ConfigValue value) {
    if (!SIBLINGS.contains(key)) {
      problems.add(
          String.format(
              "%s: unknown key ema.%s; averages are configured under %s%s",
              value.origin().description(), key, AVERAGE, Nearest.hint(key, SIBLINGS)));
    } else if (PROPERTIES.contains(key) && System.getProperty("ema." + key) == null) {
      problems.add(
          ConfigLayer.problem(
              value,
              "ema." + key,
              "is the whole process's; set it as a system property, -Dema." + key));
    }
  }

  private EmaConfig read(ConfigLayer section) {
    return new EmaConfigReader(new ConfigSection(profiles.inherited(section), problems)).read();
  }

  private ImmutableMap<String, DecaySchedule> readBank(Config config) {
    ImmutableMap.Builder<String, DecaySchedule> schedules = ImmutableMap.builder();
    ConfigLayer.allIn(config, BANK, problems)
        .forEach(
            (name, layer) -> {
              ConfigSection section = new ConfigSection(List.of(layer), problems);
              schedules.put(name, new ScheduleReader(section, "").read());
              section.reportUnknown();
            });
    return schedules.buildOrThrow();
  }

  EmaConfig average() {
    return average;
  }

  /**
   * Returns what a profile says.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  EmaConfig profile(String name) {
    profiles.profile(name);
    return requireNonNull(byProfile.get(name));
  }

  /** Returns the schedules of a bank by name; none if there is no such section. */
  ImmutableMap<String, DecaySchedule> bank() {
    return bank;
  }

  static EmaSections load() {
    return loaded(ConfigFactory::load);
  }

  static EmaSections load(Path file) {
    checkArgument(Files.isRegularFile(file), "cannot read the configuration: %s is no file", file);
    ConfigParseOptions strict = ConfigParseOptions.defaults().setAllowMissing(false);
    return loaded(() -> ConfigFactory.load(ConfigFactory.parseFile(file.toFile(), strict)));
  }

  private static EmaSections loaded(Supplier<Config> source) {
    ConfigFactory.invalidateCaches(); // system properties may have changed
    return read(source);
  }

  static EmaSections parse(String text) {
    return parse(text, config -> config);
  }

  /**
   * Reads what a checkpoint says, which may be anyone's: {@code ema.average} alone. Profiles can
   * inherit from each other without end.
   *
   * @throws IllegalArgumentException if it says more than that, or as {@link EmaConfig#parse}
   */
  static EmaConfig saved(String text) {
    checkArgument(
        text.length() <= MOST_SAVED,
        "a saved configuration has at most %s characters, but this has %s",
        MOST_SAVED,
        text.length());
    return parse(text, EmaSections::averageAlone).average();
  }

  private static Config averageAlone(Config config) {
    ConfigObject root = config.root();
    checkArgument(
        root.keySet().equals(Set.of("ema"))
            && root.get("ema") instanceof ConfigObject ema
            && ema.keySet().equals(Set.of("average")),
        "a saved configuration says ema.average and nothing else");
    return config;
  }

  private static EmaSections parse(String text, UnaryOperator<Config> check) {
    ConfigParseOptions alone = ConfigParseOptions.defaults().setIncluder(new NoIncludes());
    try {
      return read(() -> check.apply(ConfigFactory.parseString(text, alone)));
    } catch (StackOverflowError e) { // the parser and the reader call themselves for what is nested
      throw new IllegalArgumentException(
          "cannot read the configuration: it is nested too deeply", e);
    }
  }

  static EmaSections read(Supplier<Config> source) {
    try {
      return new EmaSections(source.get());
    } catch (ConfigException e) {
      throw new IllegalArgumentException("cannot read the configuration: " + e.getMessage(), e);
    }
  }
}
