package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigValue;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** The sections under {@code ema.profiles} and the built-in ones, and who inherits from whom. */
final class ConfigProfiles {
  private static final String PROFILES = "ema.profiles";
  private static final String EXTENDS = "extends";

  private static final Config BUILT_IN =
      ConfigFactory.parseString(
          """
          ema.profiles {
            timm-v1 { shadowType = model, rule = weighted-sum, policy.counter = average }
            timm-v2 { extends = timm-v1, strategy = ordered }
            timm-v3 { shadowType = model, strategy = ordered }
          }
          """,
          ConfigParseOptions.defaults().setOriginDescription("built-in profiles"));

  private final SortedMap<String, ConfigLayer> profiles = new TreeMap<>();
  private final Set<String> problems;

  /**
   * Finds the profiles of a configuration.
   *
   * @param problems to which those with profiles as such are added
   */
  ConfigProfiles(Config config, Set<String> problems) {
    this.problems = problems;
    profiles.putAll(ConfigLayer.allIn(BUILT_IN, PROFILES, problems));
    ConfigLayer.allIn(config, PROFILES, problems).forEach((name, own) -> add(name, own, config));
  }

  private void add(String name, ConfigLayer own, Config config) {
    if (profiles.putIfAbsent(name, own) != null) {
      String what = "is built in; take another name, and extend it";
      problems.add(ConfigLayer.problem(config.getValue(own.path()), own.path(), what));
    }
  }

  /** Returns the names of all profiles, built-in ones among them. */
  Set<String> names() {
    return profiles.keySet();
  }

  /**
   * Returns the layer of a profile.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  ConfigLayer profile(String name) {
    ConfigLayer profile = profiles.get(name);
    checkArgument(
        profile != null,
        "there is no profile '%s'; profiles are %s%s",
        name,
        String.join(", ", names()),
        Nearest.hint(name, names()));
    return profile;
  }

  /** Returns a section's layer, then those that it inherits from, the nearest first. */
  List<ConfigLayer> inherited(ConfigLayer section) {
    List<ConfigLayer> layers = new ArrayList<>();
    ConfigLayer next = section;
    layers.add(next);
    while (next.keys().hasPath(EXTENDS)) {
      ConfigValue parent = next.keys().getValue(EXTENDS);
      try {
        next = profile(String.valueOf(parent.unwrapped()));
        checkNoCircle(layers, next);
      } catch (IllegalArgumentException e) {
        String path = layers.get(layers.size() - 1).path() + "." + EXTENDS;
        problems.add(ConfigLayer.problem(parent, path, e.getMessage()));
        return layers;
      }
      layers.add(next);
    }
    return layers;
  }

  private static void checkNoCircle(List<ConfigLayer> layers, ConfigLayer next) {
    List<String> paths = layers.stream().map(ConfigLayer::path).toList();
    int again = paths.indexOf(next.path());
    checkArgument(
        again < 0,
        "profiles must not extend each other in a circle, but %s does",
        paths.subList(Math.max(again, 0), paths.size()).stream()
            .collect(Collectors.joining(" → ", "", " → " + next.path())));
  }
}
