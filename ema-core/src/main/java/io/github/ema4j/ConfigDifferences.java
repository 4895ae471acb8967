package io.github.ema4j;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Tells in what two configurations differ, as far as that changes what an average becomes. */
final class ConfigDifferences {
  /** Where an average is kept and whether it warns does not change its weights. */
  private static final Set<String> WITHOUT_EFFECT = Set.of("device", "canary");

  private ConfigDifferences() {}

  /** Returns a line for each key whose values differ, with both. */
  static List<String> between(EmaConfig file, EmaConfig program) {
    Map<String, Object> ofFile = EmaConfigWriter.keys(file);
    Map<String, Object> ofProgram = EmaConfigWriter.keys(program);
    Set<String> keys = new LinkedHashSet<>(ofFile.keySet());
    keys.addAll(ofProgram.keySet());
    List<String> differences = new ArrayList<>();
    for (String key : keys) {
      Object own = ofProgram.get(key);
      Object its = ofFile.get(key);
      if (!WITHOUT_EFFECT.contains(key) && !Objects.equals(own, its)) {
        differences.add(
            String.format(
                "the checkpoint has { %s }, the program { %s }", told(key, its), told(key, own)));
      }
    }
    return differences;
  }

  private static String told(String key, @Nullable Object value) {
    return value == null ? "no " + key : Hocon.keys(Map.of(key, value));
  }
}
