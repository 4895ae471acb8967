package io.github.ema4j.examples.digits;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import io.github.ema4j.EmaConfig;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads a {@link DemoConfig}. Every key that has a meaning is asked for; what nobody asked for is
 * unknown. Problems are collected and reported together, those of {@link EmaConfig} among them.
 */
final class DemoConfigReader {
  private static final String BUILT_IN = "demo.conf";
  private static final String FILE_PROPERTY = "demo.config";
  private static final String DEMO = "demo";
  private static final String AVERAGE = "ema.average";
  private static final List<String> SECTIONS = List.of(DEMO, AVERAGE, "ema.profiles");
  private static final ConfigParseOptions STRICT =
      ConfigParseOptions.defaults().setAllowMissing(false);

  private final Config config;
  private final Path workingDirectory;
  private final TreeSet<String> known = new TreeSet<>();
  private final List<String> problems = new ArrayList<>();

  private DemoConfigReader(Config config, Path workingDirectory) {
    this.config = config;
    this.workingDirectory = workingDirectory;
  }

  static DemoConfig read(Properties systemProperties, Path workingDirectory) {
    try {
      return new DemoConfigReader(layers(systemProperties, workingDirectory), workingDirectory)
          .read();
    } catch (ConfigException | InvalidPathException e) {
      throw new InputException("cannot read the configuration: " + e.getMessage(), e);
    }
  }

  private static Config layers(Properties systemProperties, Path workingDirectory) {
    Config builtIn =
        ConfigFactory.parseResources(DemoConfigReader.class.getClassLoader(), BUILT_IN, STRICT);
    String file = systemProperties.getProperty(FILE_PROPERTY);
    Config below = file == null ? builtIn : file(file, workingDirectory).withFallback(builtIn);
    return overrides(systemProperties).withFallback(below).resolve();
  }

  private static Config file(String name, Path workingDirectory) {
    Path file = workingDirectory.resolve(name).toAbsolutePath();
    if (!Files.exists(file) || Files.isDirectory(file)) {
      throw new InputException("configuration file " + file + ": no such file");
    }
    return ConfigFactory.parseFile(file.toFile(), STRICT);
  }

  private static Config overrides(Properties systemProperties) {
    Properties ours = new Properties();
    for (String name : systemProperties.stringPropertyNames()) {
      boolean named = SECTIONS.stream().anyMatch(section -> name.startsWith(section + "."));
      if (named && !name.equals(FILE_PROPERTY)) {
        ours.setProperty(name, systemProperties.getProperty(name));
      }
    }
    return ConfigFactory.parseProperties(
        ours, ConfigParseOptions.defaults().setOriginDescription("system properties"));
  }

  private DemoConfig read() {
    String backend = text("backend", DemoConfigReader::backend, "");
    Optional<Path> data = file("data");
    int epochs = text("epochs", DemoConfigReader::count, 1);
    int seed = text("seed", DemoConfigReader::whole, 0);
    double labelNoise = text("labelNoise", DemoConfigReader::part, 0.0);
    double learningRate = text("learningRate", DemoConfigReader::rate, 1.0);
    int batchSize = text("batchSize", DemoConfigReader::count, 1);
    boolean advise = text("advise", DemoConfigReader::truth, false);
    Optional<Path> report = file("report");
    reportUnknownKeys();
    EmaConfig ema = ema();
    if (!problems.isEmpty()) {
      throw new InputException(
          "the configuration has problems:\n  " + String.join("\n  ", problems));
    }
    return new DemoConfig(
        backend, data, epochs, seed, labelNoise, learningRate, batchSize, advise, report, ema);
  }

  private static String backend(String text) {
    DemoBackends.named(text);
    return text;
  }

  /** Reads the name of a file; there is none if it is null. */
  private Optional<Path> file(String name) {
    String key = DEMO + "." + name;
    if (config.hasPathOrNull(key) && config.getIsNull(key)) {
      known.add(key);
      return Optional.empty();
    }
    return text(name, this::path, Optional.empty());
  }

  private Optional<Path> path(String text) {
    if (text.isEmpty()) {
      throw new IllegalArgumentException("must name a file, but was ''");
    }
    return Optional.of(workingDirectory.resolve(text).toAbsolutePath());
  }

  private static boolean truth(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default ->
          throw new IllegalArgumentException("must be true or false, but was '" + text + "'");
    };
  }

  private static int whole(String text) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "must be a whole number from %d to %d, but was '%s'"
              .formatted(Integer.MIN_VALUE, Integer.MAX_VALUE, text),
          e);
    }
  }

  private static int count(String text) {
    int value = whole(text);
    if (value < 1) {
      throw new IllegalArgumentException("must be at least 1, but was " + value);
    }
    return value;
  }

  private static double number(String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("must be a number, but was '" + text + "'", e);
    }
  }

  private static double part(String text) {
    double value = number(text);
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException("must be in [0, 1], but was " + value);
    }
    return value;
  }

  private static double rate(String text) {
    double value = number(text);
    if (!((float) value > 0 && Float.isFinite((float) value))) { // frameworks take it as a float
      throw new IllegalArgumentException("must be above 0 and finite, but was " + value);
    }
    return value;
  }

  private <V> V text(String name, Function<String, V> parse, V whereWrong) {
    String key = DEMO + "." + name;
    known.add(key);
    try {
      return parse.apply(config.getString(key));
    } catch (IllegalArgumentException e) {
      problems.add(at(config.getValue(key), key) + ": " + e.getMessage());
    } catch (ConfigException e) {
      problems.add(String.valueOf(e.getMessage()));
    }
    return whereWrong;
  }

  private static String at(ConfigValue value, String key) {
    return value.origin().description() + ": " + key;
  }

  /** Whatever is outside the two sections is a slip of the pen: nobody else reads these files. */
  private void reportUnknownKeys() {
    for (Map.Entry<String, ConfigValue> entry : config.entrySet()) {
      String key = String.join(".", ConfigUtil.splitPath(entry.getKey()));
      if (!known.contains(key) && !key.startsWith("ema.")) {
        problems.add(
            entry.getValue().origin().description()
                + ": unknown key "
                + key
                + "; known are "
                + String.join(", ", known)
                + " and those under "
                + AVERAGE);
      }
    }
  }

  private EmaConfig ema() {
    try {
      return EmaConfig.from(config);
    } catch (IllegalArgumentException e) {
      problems.addAll(listed(e.getMessage()));
      return EmaConfig.defaults();
    }
  }

  /** Takes the problems out of a message that lists them below a headline. */
  private static List<String> listed(@Nullable String message) {
    List<String> lines = String.valueOf(message).lines().toList();
    return lines.size() < 2 ? lines : lines.stream().skip(1).map(String::strip).toList();
  }
}
