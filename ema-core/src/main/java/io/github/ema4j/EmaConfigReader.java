package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigValue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.function.Supplier;

/** Reads the section {@code ema.average}. */
final class EmaConfigReader {
  private static final String SECTION = "ema.average";

  /** What there is under {@code ema}; all but the average is the conformance kit's. */
  private static final Set<String> SIBLINGS =
      Set.of("average", "golden", "test", "kernel", "threads");

  private final ConfigSection section;

  private EmaConfigReader(Config config) {
    this.section = new ConfigSection(config, SECTION);
    if (config.hasPath("ema")) {
      config.getObject("ema").forEach(this::checkSibling);
    }
  }

  /**
   * A slip in the section's own name would go unnoticed: nothing but the defaults would be read.
   */
  private void checkSibling(String key, ConfigValue value) {
    if (!SIBLINGS.contains(key)) {
      section.addProblem(
          String.format(
              "%s: unknown key ema.%s; averages are configured under %s",
              value.origin().description(), key, SECTION));
    }
  }

  static EmaConfig load() {
    return loaded(ConfigFactory::load);
  }

  static EmaConfig load(Path file) {
    checkArgument(Files.isRegularFile(file), "cannot read the configuration: %s is no file", file);
    ConfigParseOptions strict = ConfigParseOptions.defaults().setAllowMissing(false);
    return loaded(() -> ConfigFactory.load(ConfigFactory.parseFile(file.toFile(), strict)));
  }

  private static EmaConfig loaded(Supplier<Config> source) {
    ConfigFactory.invalidateCaches(); // system properties may have changed
    return parsed(source);
  }

  static EmaConfig parse(String text) {
    ConfigParseOptions alone = ConfigParseOptions.defaults().setIncluder(new NoIncludes());
    try {
      return parsed(() -> ConfigFactory.parseString(text, alone));
    } catch (StackOverflowError e) { // the parser and the reader call themselves for what is nested
      throw new IllegalArgumentException(
          "cannot read the configuration: it is nested too deeply", e);
    }
  }

  private static EmaConfig parsed(Supplier<Config> source) {
    Config config;
    try {
      config = source.get();
    } catch (ConfigException e) {
      throw new IllegalArgumentException("cannot read the configuration: " + e.getMessage(), e);
    }
    return read(config);
  }

  static EmaConfig read(Config config) {
    try {
      return new EmaConfigReader(config).read();
    } catch (ConfigException e) {
      throw new IllegalArgumentException("cannot read the configuration: " + e.getMessage(), e);
    }
  }

  private EmaConfig read() {
    EmaConfig start = section.value("preset", EmaConfig::preset, EmaConfig.defaults());
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
            .withCanary(section.flag("canary", start.canary()));
    Device device = section.value("device", Device::parse, Device.CPU);
    section.finish();
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
