package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.base.Ascii;
import com.google.common.base.Joiner;
import com.google.common.collect.ArrayListMultimap;
import com.google.common.collect.ListMultimap;
import com.google.common.primitives.Longs;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import io.github.ema4j.internal.Checks;
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
import org.jspecify.annotations.Nullable;

/**
 * A section of a configuration whose keys are all accounted for: every key that has a meaning is
 * asked for, what nobody asked for is unknown. Problems are collected and reported together.
 */
final class ConfigSection {
  private final Config section;
  private final List<ConfigLayer> layers;
  private final Set<String> problems;
  private final TreeSet<String> known = new TreeSet<>();
  private final Map<String, String> groups = new HashMap<>();
  private final ListMultimap<String, String> elsewhere = ArrayListMultimap.create();
  private final Set<String> refused = new TreeSet<>();
  private final Set<String> unchecked = new TreeSet<>();

  /**
   * Begins to read a section.
   *
   * @param layers the section itself, then what it inherits from
   * @param problems to which those of this section are added
   */
  ConfigSection(List<ConfigLayer> layers, Set<String> problems) {
    this.layers = layers;
    this.problems = problems;
    this.section = ConfigLayer.merged(layers);
  }

  /** Returns the name of a key from the root on, in the layer that has it. */
  private String path(String key) {
    ConfigLayer owner =
        layers.stream()
            .filter(layer -> layer.keys().hasPathOrNull(key))
            .findFirst()
            .orElse(layers.get(0));
    return owner.path() + "." + key;
  }

  boolean has(String key) {
    return section.hasPath(key);
  }

  /** Says of the keys that begin so under which condition they are the known ones. */
  void group(String prefix, String condition) {
    groups.put(prefix, condition);
  }

  /** Says what a key is for where it is not unknown. */
  void elsewhere(String key, String purpose) {
    elsewhere.put(key, purpose);
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
    List<String> names =
        Arrays.stream(type.getEnumConstants()).map(ConfigSection::spelled).toList();
    checkArgument(
        names.contains(text),
        "must be one of %s, but was '%s'%s",
        Joiner.on(", ").join(names),
        text,
        Nearest.hint(text, names));
    return type.getEnumConstants()[names.indexOf(text)];
  }

  static String spelled(Enum<?> constant) {
    return Ascii.toLowerCase(constant.name()).replace('_', '-');
  }

  /** Takes note of a key whose value is one text, whatever it says. */
  void text(String key) {
    value(key, text -> text, "");
  }

  <V> V value(String key, Function<String, V> parse, V absent) {
    known.add(key);
    return attempt(
        key, () -> has(key) ? parse.apply(textOf(section.getValue(key))) : absent, absent);
  }

  private static String textOf(ConfigValue value) {
    ConfigValueType type = value.valueType();
    checkArgument(
        type != ConfigValueType.OBJECT && type != ConfigValueType.LIST,
        "must be one value, but was a %s",
        type == ConfigValueType.LIST ? "list" : "table");
    return value.atKey("value").getString("value");
  }

  /** Says whether there is a table under a key, of which other keys are asked for by themselves. */
  boolean table(String key) {
    known.add(key);
    return attempt(key, () -> has(key) && !entries(key).isEmpty(), false);
  }

  private ConfigObject entries(String key) {
    ConfigValue value = section.getValue(key);
    if (value instanceof ConfigObject table) {
      return table;
    }
    throw new IllegalArgumentException("must be a table, but was " + value.unwrapped());
  }

  /** Returns the tables in a key's list; none if it is absent. */
  List<? extends Config> tables(String key) {
    known.add(key);
    return attempt(key, () -> has(key) ? tablesOf(key) : List.of(), List.of());
  }

  private List<? extends Config> tablesOf(String key) {
    try {
      return section.getConfigList(key); // from properties too, which have no lists
    } catch (ConfigException.WrongType e) {
      throw new IllegalArgumentException("must be a list of tables", e);
    }
  }

  /**
   * Returns the names under a key whose value is a table, those that are null left out.
   *
   * @throws IllegalArgumentException if the value is no table
   */
  Set<String> names(String key) {
    known.add(key);
    Set<String> names = new TreeSet<>();
    for (String name : entries(key).keySet()) {
      String entry = key + "." + ConfigUtil.joinPath(name);
      known.add(entry);
      if (has(entry)) {
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
      problem(key, "must be a number, but was '" + section.getString(key) + "'");
    } catch (IllegalArgumentException e) {
      problem(key, e.getMessage());
    }
    return refused;
  }

  void problem(String key, @Nullable String what) {
    refused.add(key);
    problems.add(ConfigLayer.problem(section.getValue(key), path(key), what));
  }

  /** Notes that a key is missing which the value of another one asks for. */
  void missing(String key, String because) {
    known.add(key);
    problem(because, "needs " + key);
  }

  /**
   * Notes every key that nobody asked for. Inherited ones are those of a schedule of another type,
   * or are told where they are.
   */
  void reportUnknown() {
    section
        .entrySet()
        .forEach(
            entry -> {
              String key = entry.getKey(); // quoted where a name has a dot in it
              if (!known.contains(key)
                  && unchecked.stream().noneMatch(key::startsWith)
                  && layers.get(0).keys().hasPath(key)) {
                reportUnknown(key, entry.getValue());
              }
            });
  }

  private void reportUnknown(String key, ConfigValue value) {
    String group =
        groups.keySet().stream()
            .filter(key::startsWith)
            .max(Comparator.comparingInt(String::length))
            .orElse("");
    List<String> candidates = known.stream().filter(name -> name.startsWith(group)).toList();
    problems.add(
        value.origin().description()
            + ": unknown key "
            + path(key)
            + "; known "
            + groups.getOrDefault(group, "")
            + "are "
            + Joiner.on(", ").join(candidates)
            + (elsewhere.containsKey(key)
                ? "; " + key + " is for " + Joiner.on(", ").join(elsewhere.get(key))
                : Nearest.hint(key, known)));
  }
}
