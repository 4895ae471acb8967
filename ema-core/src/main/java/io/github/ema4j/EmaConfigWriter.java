package io.github.ema4j;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.EntryPolicy.PatternRule;
import io.github.ema4j.schedule.ClampedDecay;
import io.github.ema4j.schedule.DelayedStart;
import io.github.ema4j.schedule.ScaledDecay;
import io.github.ema4j.schedule.ZeroDebias;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Says a configuration in the keys that {@link EmaConfigReader} reads. */
final class EmaConfigWriter {

  private EmaConfigWriter() {}

  static String text(EmaConfig config) {
    return "ema.average { " + Hocon.keys(keys(config)) + " }";
  }

  static String text(EmaBankConfig config) {
    Map<String, Object> bank = new TreeMap<>();
    config.schedules().forEach((name, schedule) -> bank.put(name, schedule(schedule)));
    return text(config.common()) + ", ema.bank { " + Hocon.keys(bank) + " }";
  }

  /** Returns every key with its value; those whose default is that there is none may be absent. */
  static Map<String, Object> keys(EmaConfig config) {
    Map<String, Object> keys = new LinkedHashMap<>();
    keys.put("strategy", config.strategy().pairing());
    keys.put("rule", config.rule());
    keys.put("shadowType", config.shadowType());
    config.device().ifPresent(device -> keys.put("device", device.toString()));
    keys.put("policy", policy(config.policy()));
    keys.put("clock", config.timing().clock());
    keys.put("every", config.timing().every());
    keys.put("microSteps", config.timing().microSteps());
    keys.put("guard", config.guard());
    keys.put("canary", config.canary());
    keys.put("flushSubnormals", config.flushSubnormals());
    keys.put("schedule", schedule(config.strategy().schedule()));
    return keys;
  }

  private static Map<String, Object> policy(EntryPolicy policy) {
    Map<String, Object> keys = new LinkedHashMap<>();
    for (Role role : Role.values()) {
      keys.put(ConfigSection.spelled(role), policy.treatment(role));
    }
    if (!policy.patterns().isEmpty()) {
      keys.put("patterns", policy.patterns().stream().map(EmaConfigWriter::pattern).toList());
    }
    return keys;
  }

  private static Map<String, Object> pattern(PatternRule rule) {
    return ImmutableMap.of(
        ConfigSection.spelled(rule.pattern().syntax()),
        rule.pattern().text(),
        "treatment",
        rule.treatment());
  }

  /** Takes the wrappers off from the outside, in the order opposite to that of reading. */
  private static Map<String, Object> schedule(DecaySchedule schedule) {
    Map<String, Object> wrappers = new LinkedHashMap<>();
    DecaySchedule inner = schedule;
    if (inner instanceof ZeroDebias debiased) {
      wrappers.put("zeroDebias", true);
      inner = debiased.schedule();
    }
    if (inner instanceof DelayedStart delayed) {
      wrappers.put("delay", delayed.delay());
      inner = delayed.schedule();
    }
    if (inner instanceof ClampedDecay clamped) {
      wrappers.put("minimum", clamped.minimum());
      wrappers.put("maximum", clamped.maximum());
      inner = clamped.schedule();
    }
    if (inner instanceof ScaledDecay scaled) {
      wrappers.put("scaling", scaled.kappa());
      inner = scaled.schedule();
    }
    Map<String, Object> keys = wrapped(inner);
    keys.putAll(wrappers);
    return keys;
  }

  private static Map<String, Object> wrapped(DecaySchedule inner) {
    Map<String, Object> keys = new LinkedHashMap<>();
    Optional<ScheduleType> type = ScheduleType.of(inner);
    if (type.isPresent()) {
      keys.put("type", type.get());
      keys.putAll(type.get().parameters(inner));
    } else if (isWrapper(inner)) {
      keys.put("of", schedule(inner));
    } else {
      keys.put("code", code(inner));
    }
    return keys;
  }

  private static boolean isWrapper(DecaySchedule schedule) {
    return List.of(ZeroDebias.class, DelayedStart.class, ClampedDecay.class, ScaledDecay.class)
        .contains(schedule.getClass());
  }

  /** Returns a name that is the same in every run: what tells lambdas and objects apart is not. */
  private static String code(DecaySchedule schedule) {
    return schedule instanceof Record
        ? schedule.getClass().getName() + " " + schedule
        : schedule.getClass().getName().replaceFirst("\\$\\$Lambda.*", "\\$\\$Lambda");
  }
}
