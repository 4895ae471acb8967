package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.typesafe.config.Config;
import java.util.Set;

/** Reads an {@link EmaConfig} from one section. */
final class EmaConfigReader {
  private final ConfigSection section;

  EmaConfigReader(ConfigSection section) {
    this.section = section;
  }

  EmaConfig read() {
    EmaConfig start = EmaConfig.defaults();
    section.text("extends"); // what it means was seen to when the section's layers were found
    EmaStrategy.Pairing pairing =
        section.choice("strategy", EmaStrategy.Pairing.class, start.strategy().pairing());
    EmaConfig read =
        start
            .withStrategy(new EmaStrategy(pairing, new ScheduleReader(section, "schedule.").read()))
            .withRule(section.choice("rule", AveragingRule.class, start.rule()))
            .withPolicy(policy(start.policy()))
            .withShadowType(section.choice("shadowType", ShadowType.class, start.shadowType()))
            .withTiming(timing(start.timing()))
            .withGuard(section.choice("guard", NonFiniteGuard.class, start.guard()))
            .withCanary(section.flag("canary", start.canary()))
            .withFlushSubnormals(section.flag("flushSubnormals", start.flushSubnormals()));
    Device device = section.value("device", Device::parse, Device.CPU);
    section.reportUnknown();
    return section.has("device") ? read.withDevice(device) : read;
  }

  private Timing timing(Timing start) {
    return new Timing(
        section.choice("clock", Clock.class, start.clock()),
        section.countFromOne("every", start.every()),
        section.smallCountFromOne("microSteps", start.microSteps()));
  }

  private EntryPolicy policy(EntryPolicy start) {
    EntryPolicy policy = patterns(start);
    for (Role role : Role.values()) {
      policy =
          policy.with(
              role,
              section.choice(
                  "policy." + ConfigSection.spelled(role), Treatment.class, start.treatment(role)));
    }
    return policy;
  }

  private EntryPolicy patterns(EntryPolicy start) {
    EntryPolicy policy = start;
    for (Config rule : section.tables("policy.patterns")) {
      EntryPolicy before = policy;
      policy = section.attempt("policy.patterns", () -> with(before, rule), before);
    }
    return policy;
  }

  private static EntryPolicy with(EntryPolicy policy, Config rule) {
    Set<String> keys = rule.root().keySet();
    boolean glob = keys.equals(Set.of("glob", "treatment"));
    checkArgument(
        glob || keys.equals(Set.of("regex", "treatment")),
        "each needs treatment and one of glob and regex, but one has %s",
        keys);
    NamePattern pattern =
        glob
            ? NamePattern.glob(rule.getString("glob"))
            : NamePattern.regex(rule.getString("regex"));
    return policy.with(
        pattern, ConfigSection.constant(Treatment.class, rule.getString("treatment")));
  }
}
