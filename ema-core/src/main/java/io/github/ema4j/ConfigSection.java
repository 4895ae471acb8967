package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.base.Ascii;
import com.google.common.base.Joiner;
import com.google.common.primitives.Longs;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import io.github.ema4j.internal.Checks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.DoubleConsumer;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A section of a configuration whose keys are all accounted for: every key that has a meaning is
 * asked for, what nobody asked for is unknown. Problems are collected and reported together.
 */
final class ConfigSection {
  private final Config config;
  private final Config section;
  private final String path;
  private final TreeSet<String> known = new TreeSet<>();
  private final Map<String, String> groups = new HashMap<>();
  private final Set<String> refused = new TreeSet<>();
  private final Set<String> unchecked = new TreeSet<>();
  private final List<String> problems = new ArrayList<>();

  ConfigSection(Config config, String path) {
    this.config = config;
    this.path = path;
    this.section = section(config, path);
  }

  private static Config section(Config config, String path) {
    try {
      return config.getConfig(path);
    } catch (ConfigException.Missing e) {
      return ConfigFactory.empty();
    }
  }

  boolean has(String key) {
    return section.hasPath(key);
  }

  /** Says of the keys that begin so under which condition they are the known ones. */
  void group(String prefix, String condition) {
    groups.put(prefix, condition);
  }

  /** Says whether a key's value was found to be wrong. */
  boolean refused(String key) {
    return refused.contains(key);
  }

  /** Makes keys that begin so pass for known: which of them are cannot be told. */
  void leaveUnchecked(String prefix) {
    unchecked.add(prefix);
  }

  double fraction(String key, double absent) {
    return number(key, value -> Checks.decay("the value", value), absent);
  }

  double positive(String key, double absent) {
    return number(key, value -> Checks.positive("the value", value), absent);
  }

  double atLeastOne(String key, double absent) {
    return number(key, value -> Checks.atLeastOne("the value", value), absent);
  }

  private double number(String key, DoubleConsumer check, double absent) {
    return value(
        key,
        text -> {
          double number = Double.parseDouble(text);
          check.accept(number);
          return number;
        },
        absent);
  }

  long count(String key, long absent) {
    return whole(key, value -> Checks.notNegative("the value", value), absent);
  }

  long countFromOne(String key, long absent) {
    return whole(key, value -> Checks.atLeastOne("the value", value), absent);
  }

  int smallCountFromOne(String key, int absent) {
    long number =
        whole(
            key,
            value -> {
              Checks.atLeastOne("the value", value);
              checkArgument(
                  value <= Integer.MAX_VALUE,
                  "the value must be at most %s, but was %s",
                  Integer.MAX_VALUE,
                  value);
            },
            absent);
    return (int) number;
  }

  private long whole(String key, LongConsumer check, long absent) {
    return value(
        key,
        text -> {
          Long number = Longs.tryParse(text);
          checkArgument(number != null, "must be a whole number, but was '%s'", text);
          check.accept(number);
          return number;
        },
        absent);
  }

  boolean flag(String key, boolean absent) {
    return value(
        key,
        text -> {
          checkArgument(
              text.equals("true") || text.equals("false"),
              "must be true or false, but was '%s'",
              text);
          return text.equals("true");
        },
        absent);
  }

  <E extends Enum<E>> E choice(String key, Class<E> type, E absent) {
    return value(key, text -> constant(type, text), absent);
  }

  /**
   * Returns the constant that is spelled so.
   *
   * @throws IllegalArgumentException if there is none
   */
  static <E extends Enum<E>> E constant(Class<E> type, String text) {
    return Arrays.stream(type.getEnumConstants())
        .filter(constant -> spelled(constant).equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "must be one of "
                        + Arrays.stream(type.getEnumConstants())
                            .map(ConfigSection::spelled)
                            .collect(Collectors.joining(", "))
                        + ", but was '"
                        + text
                        + "'"));
  }

  static String spelled(Enum<?> constant) {
    return Ascii.toLowerCase(constant.name()).replace('_', '-');
  }

  <V> V value(String key, Function<String, V> parse, V absent) {
    known.add(key);
    return attempt(
        key,
        () ->
            config.hasPath(path + "." + key)
                ? parse.apply(config.getString(path + "." + key))
                : absent,
        absent);
  }

  /** Says whether there is a table under a key, of which other keys are asked for by themselves. */
  boolean table(String key) {
    known.add(key);
    return attempt(key, () -> section.hasPath(key) && !section.getObject(key).isEmpty(), false);
  }

  /** Returns the tables in a key's list; none if it is absent. */
  List<? extends Config> tables(String key) {
    known.add(key);
    return attempt(
        key, () -> section.hasPath(key) ? section.getConfigList(key) : List.of(), List.of());
  }

  /**
   * Returns the names under a key whose value is a table, those that are null left out.
   *
   * @throws ConfigException if the value is no table
   */
  Set<String> names(String key) {
    Set<String> names = new TreeSet<>();
    for (String name : section.getObject(key).keySet()) {
      String path = key + "." + ConfigUtil.joinPath(name);
      known.add(path);
      if (section.hasPath(path)) {
        names.add(name);
      }
    }
    return names;
  }

  /** Returns what is made from a key's value, or what stands for it if that is refused. */
  <V> V attempt(String key, Supplier<V> make, V refused) {
    try {
      return make.get();
    } catch (NumberFormatException e) {
      problem(key, "must be a number, but was '" + config.getString(path + "." + key) + "'");
    } catch (IllegalArgumentException e) {
      problem(key, e.getMessage());
    } catch (ConfigException e) {
      problems.add(e.getMessage());
    }
    return refused;
  }

  void problem(String key, @Nullable String what) {
    refused.add(key);
    problems.add(
        section.getValue(key).origin().description() + ": " + path + "." + key + ": " + what);
  }

  /** Notes a problem that is not one of a key in this section. */
  void addProblem(String problem) {
    problems.add(problem);
  }

  /** Notes that a key is missing which the value of another one asks for. */
  void missing(String key, String because) {
    known.add(key);
    problem(because, "needs " + path + "." + key);
  }

  /**
   * Throws if there was any problem, an unknown key among them.
   *
   * @throws IllegalArgumentException with all of them, each with its place
   */
  void finish() {
    section
        .entrySet()
        .forEach(
            entry -> {
              String key = entry.getKey(); // quoted where a name has a dot in it
              if (!known.contains(key) && unchecked.stream().noneMatch(key::startsWith)) {
                reportUnknown(key, entry.getValue());
              }
            });
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "the configuration has problems:\n  " + Joiner.on("\n  ").join(problems));
    }
  }

  private void reportUnknown(String key, ConfigValue value) {
    String group =
        groups.keySet().stream()
            .filter(key::startsWith)
            .max(Comparator.comparingInt(String::length))
            .orElse("");
    problems.add(
        value.origin().description()
            + ": unknown key "
            + path
            + "."
            + key
            + "; known "
            + groups.getOrDefault(group, "")
            + "are "
            + known.stream()
                .filter(name -> name.startsWith(group))
                .collect(Collectors.joining(", ")));
  }
}
