package io.github.ema4j;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The keys of one section, or of one that it inherits from.
 *
 * @param path where they are
 * @param keys without the path
 */
record ConfigLayer(String path, Config keys) {
  private static final String SCHEDULE = "schedule";

  /** What is said in one way only: who says it in another does not inherit it. */
  private static final Map<String, List<String>> ALTERNATIVES =
      Map.of(
          "schedule.halfLife", List.of("schedule.halfLifeEpochs", "schedule.timePerEpoch"),
          "schedule.halfLifeEpochs", List.of("schedule.halfLife"),
          "schedule.gamma", List.of("schedule.sigmaRel"),
          "schedule.sigmaRel", List.of("schedule.gamma"));

  /** What schedules of all types understand alike, as far as they do. */
  private static final Set<String> COMMON =
      Set.of("decay", "scaling", "minimum", "maximum", "delay", "zeroDebias");

  /**
   * Returns the layer at a path, empty if there is none.
   *
   * @param problems to which it is added if what is there is no table
   */
  static ConfigLayer at(Config config, String path, Set<String> problems) {
    if (config.hasPath(path)) {
      ConfigValue value = config.getValue(path);
      if (value instanceof ConfigObject table) {
        return new ConfigLayer(path, table.toConfig());
      }
      problems.add(problem(value, path, "must be a table, but was " + value.unwrapped()));
    }
    return new ConfigLayer(path, ConfigFactory.empty());
  }

  /** Returns the layers in a table by their names, those that are null left out. */
  static SortedMap<String, ConfigLayer> allIn(Config config, String path, Set<String> problems) {
    Config table = at(config, path, problems).keys();
    SortedMap<String, ConfigLayer> layers = new TreeMap<>();
    for (String name : table.root().keySet()) {
      String quoted = ConfigUtil.joinPath(name);
      if (table.hasPath(quoted)) {
        layers.put(name, at(config, path + "." + quoted, problems));
      }
    }
    return layers;
  }

  /** Returns what is wrong with a value, with file and line. */
  static String problem(ConfigValue value, String path, @Nullable String what) {
    return value.origin().description() + ": " + path + ": " + what;
  }

  /** Returns the keys of the first layer, above those that it inherits from the others. */
  static Config merged(List<ConfigLayer> layers) {
    Config merged = ConfigFactory.empty();
    for (int i = layers.size() - 1; i >= 0; i--) {
      Config own = layers.get(i).keys();
      merged = own.withFallback(inheritable(merged, own));
    }
    return merged;
  }

  private static Config inheritable(Config parent, Config own) {
    Config inherited = parent;
    for (Map.Entry<String, List<String>> alternative : ALTERNATIVES.entrySet()) {
      if (own.hasPath(alternative.getKey())) {
        for (String key : alternative.getValue()) {
          inherited = inherited.withoutPath(key);
        }
      }
    }
    return isAnotherSchedule(parent, own) ? withCommonAlone(inherited) : inherited;
  }

  private static boolean isAnotherSchedule(Config parent, Config own) {
    if (own.hasPath("schedule.of")) {
      return true;
    }
    return own.hasPath("schedule.type")
        && !(parent.hasPath("schedule.type")
            && own.getValue("schedule.type").equals(parent.getValue("schedule.type")));
  }

  /** A parameter of another type may have the same name and another meaning, as gamma has. */
  private static Config withCommonAlone(Config parent) {
    Config inherited = parent;
    if (parent.hasPath(SCHEDULE) && parent.getValue(SCHEDULE) instanceof ConfigObject schedule) {
      for (String key : schedule.keySet()) {
        if (!COMMON.contains(key)) {
          inherited = inherited.withoutPath(ConfigUtil.joinPath(SCHEDULE, key));
        }
      }
    }
    return inherited;
  }
}
