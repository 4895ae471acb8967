package io.github.ema4j.testkit;

import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSortedMap;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigValueFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What a run of the kits found out about one backend, as a JSON file keeps it.
 *
 * @param backend the backend's name
 * @param version the versions of framework and natives, as the author says them
 * @param java the version of the JVM
 * @param capabilities what the backend declares
 * @param rules the result of each rule that was run, by id
 * @param cases the SHA-256 of the averaged state of each case, by name
 */
public record ConformanceRecord(
    String backend,
    String version,
    String java,
    List<String> capabilities,
    ImmutableSortedMap<String, Result> rules,
    ImmutableSortedMap<String, String> cases) {

  /** How a rule ended. */
  public enum Outcome {
    /** It holds. */
    PASSED,
    /** It could not be checked at all. */
    SKIPPED,
    /** It does not hold. */
    FAILED
  }

  /**
   * The result of one rule.
   *
   * @param sentence what holds
   * @param outcome failed if one run failed, skipped if all were
   * @param runs how many times it was checked, with different values
   * @param skipped how many times it could not be
   * @param reason why a run failed or, where none did, was skipped; empty otherwise
   * @param worstUlp how far the worst element was off, in units in the last place
   * @param overridden whether the backend's author replaced the kit's own check
   */
  public record Result(
      String sentence,
      Outcome outcome,
      int runs,
      int skipped,
      String reason,
      double worstUlp,
      boolean overridden) {

    /** Returns the result of these runs and others. */
    Result and(Result other) {
      boolean otherIsWorse = other.severity() > severity();
      Result worse = otherIsWorse ? other : this;
      Result better = otherIsWorse ? this : other;
      return new Result(
          sentence,
          worse.outcome == Outcome.FAILED ? Outcome.FAILED : better.outcome,
          runs + other.runs,
          skipped + other.skipped,
          worse.reason,
          Math.max(worstUlp, other.worstUlp),
          overridden || other.overridden);
    }

    /** A passed rule some of whose runs were skipped ranks with a skipped one: it has a reason. */
    private int severity() {
      return outcome == Outcome.FAILED ? 2 : skipped > 0 ? 1 : 0;
    }
  }

  /**
   * Reads a record.
   *
   * @throws com.typesafe.config.ConfigException if the file is missing or has another form
   */
  public static ConformanceRecord read(Path file) {
    Config json = ConfigFactory.parseFile(file.toFile());
    ImmutableSortedMap.Builder<String, Result> rules = ImmutableSortedMap.naturalOrder();
    for (Config rule : json.getConfigList("rules")) {
      rules.put(
          rule.getString("id"),
          new Result(
              rule.getString("sentence"),
              rule.getEnum(Outcome.class, "outcome"),
              rule.getInt("runs"),
              rule.getInt("skipped"),
              rule.getString("reason"),
              Double.parseDouble(rule.getString("worstUlp")),
              rule.getBoolean("overridden")));
    }
    ImmutableSortedMap.Builder<String, String> cases = ImmutableSortedMap.naturalOrder();
    for (Config each : json.getConfigList("cases")) {
      cases.put(each.getString("name"), each.getString("sha256"));
    }
    return new ConformanceRecord(
        json.getString("backend"),
        json.getString("version"),
        json.getString("java"),
        json.getStringList("capabilities"),
        rules.buildOrThrow(),
        cases.buildOrThrow());
  }

  /** Writes the record, over one that is there. */
  public void write(Path file) throws IOException {
    List<Map<String, Object>> ruleObjects =
        rules.entrySet().stream().map(rule -> object(rule.getKey(), rule.getValue())).toList();
    List<Map<String, String>> caseObjects =
        cases.entrySet().stream()
            .<Map<String, String>>map(
                each -> ImmutableMap.of("name", each.getKey(), "sha256", each.getValue()))
            .toList();
    Map<String, Object> json =
        ImmutableMap.of(
            "backend", backend,
            "version", version,
            "java", java,
            "capabilities", capabilities,
            "rules", ruleObjects,
            "cases", caseObjects);
    Files.createDirectories(file.toAbsolutePath().getParent());
    Files.writeString(
        file,
        ConfigValueFactory.fromMap(json).render(ConfigRenderOptions.concise().setFormatted(true)));
  }

  private static Map<String, Object> object(String id, Result result) {
    return ImmutableMap.<String, Object>builder()
        .put("id", id)
        .put("sentence", result.sentence)
        .put("outcome", result.outcome.name())
        .put("runs", result.runs)
        .put("skipped", result.skipped)
        .put("reason", result.reason)
        .put("worstUlp", String.valueOf(result.worstUlp))
        .put("overridden", result.overridden)
        .buildOrThrow();
  }
}
