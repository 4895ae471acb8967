package io.github.ema4j;

import static java.util.Objects.requireNonNull;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Everything about an average that can be said without code. Immutable.
 *
 * <p>Read from HOCON, JSON, properties files and system properties under {@code ema.average}, or
 * from a profile under {@code ema.profiles}; the keys are in {@code reference.conf}. Each has its
 * twin in {@link ModelEma.Builder}.
 *
 * @param strategy how entries pair and how fast the average decays
 * @param rule the arithmetic
 * @param policy what is averaged, copied and skipped
 * @param shadowType the type in which averaged entries are kept
 * @param device where the average is kept; the model's device if empty
 * @param timing when the average is updated
 * @param guard what happens when the model has NaN or infinity
 * @param canary whether a warning is logged, once, when an update finds the model as the update
 *     before found it (the first, as it was at the start): a sign that {@code update} is called
 *     before the optimiser's step, or twice after it, or that the optimiser does nothing. A few
 *     elements of each tensor are compared
 * @param flushSubnormals whether averaged elements that have become smaller than the least normal
 *     number of float32 (float64 for averages kept in that) are set to zero, of the same sign. It
 *     changes results; weights that training holds at zero are then no longer slow to average on
 *     processors that are slow with subnormal numbers. For averages in host memory alone
 */
public record EmaConfig(
    EmaStrategy strategy,
    AveragingRule rule,
    EntryPolicy policy,
    ShadowType shadowType,
    Optional<Device> device,
    Timing timing,
    NonFiniteGuard guard,
    boolean canary,
    boolean flushSubnormals) {

  private static final EmaConfig DEFAULTS =
      new EmaConfig(
          EmaStrategy.nameMatched(0.9999),
          AveragingRule.LERP,
          EntryPolicy.defaults(),
          ShadowType.AUTO,
          Optional.empty(),
          Timing.EVERY_STEP,
          NonFiniteGuard.FAIL_ON_HOST,
          true,
          false);

  /** Checks that all parts are there. */
  public EmaConfig {
    requireNonNull(strategy, "strategy");
    requireNonNull(rule, "rule");
    requireNonNull(policy, "policy");
    requireNonNull(shadowType, "shadowType");
    requireNonNull(device, "device");
    requireNonNull(timing, "timing");
    requireNonNull(guard, "guard");
  }

  /**
   * Returns the default: entries matched by name, a constant decay of .9999, {@link
   * AveragingRule#LERP}, the default policy and shadow type, on the model's device; updated every
   * step, failing where the model is not finite, with the canary.
   */
  public static EmaConfig defaults() {
    return DEFAULTS;
  }

  /**
   * Returns what reproduces one of timm's classes, with its default decay of .9999; to a
   * configuration these are built-in profiles:
   *
   * <ul>
   *   <li>{@code timm-v1}, ModelEma: by name, weighted sum, integers truncated;
   *   <li>{@code timm-v2}, ModelEmaV2: by position, weighted sum, integers truncated;
   *   <li>{@code timm-v3}, ModelEmaV3: by position, lerp, integers copied. Its {@code use_warmup}
   *       is {@link DecaySchedule#inversePowerWarmup}, its {@code exclude_buffers} the policy that
   *       copies statistics.
   * </ul>
   *
   * <p>All keep the average in the model's own type.
   *
   * @throws IllegalArgumentException if there is no preset of that name
   */
  public static EmaConfig preset(String name) {
    return EmaSections.parse("").profile(name);
  }

  /**
   * Reads {@code ema.average} from {@code application.conf}, {@code .json} or {@code .properties}
   * on the class path, system properties above it. The section may extend a profile; its own keys
   * stand above the profile's.
   *
   * @throws IllegalArgumentException if anything under {@code ema} is unknown or malformed; the
   *     message lists every problem with file and line
   */
  public static EmaConfig load() {
    return EmaSections.load().average();
  }

  /**
   * Reads the profile {@code ema.profiles.<name>}, or a built-in one, from where {@link #load()}
   * reads; {@code ema.average} is checked but does not count.
   *
   * @throws IllegalArgumentException if there is no profile of that name, or as {@link #load()}
   */
  public static EmaConfig load(String profile) {
    return EmaSections.load().profile(profile);
  }

  /**
   * Reads {@code ema.average} from a file, system properties above it.
   *
   * @throws IllegalArgumentException if the file is missing or malformed, or as {@link #load()}
   */
  public static EmaConfig load(Path file) {
    return EmaSections.load(file).average();
  }

  /**
   * Reads a profile from a file, system properties above it, as {@link #load(String)}.
   *
   * @throws IllegalArgumentException if the file is missing or malformed, or as {@link
   *     #load(String)}
   */
  public static EmaConfig load(Path file, String profile) {
    return EmaSections.load(file).profile(profile);
  }

  /**
   * Reads what a configuration says under {@code ema.average}; the defaults where it says nothing.
   *
   * @throws IllegalArgumentException as {@link #load()}
   */
  public static EmaConfig from(Config config) {
    return EmaSections.read(() -> config).average();
  }

  /**
   * Reads a profile from a configuration, as {@link #load(String)}.
   *
   * @throws IllegalArgumentException as {@link #load(String)}
   */
  public static EmaConfig from(Config config, String profile) {
    return EmaSections.read(() -> config).profile(profile);
  }

  /**
   * Reads the form that {@link #toString} writes, or any other HOCON text with {@code ema.average}
   * in it. The text must say all by itself: it cannot include files or refer to the environment,
   * and system properties are not looked at.
   *
   * @throws IllegalArgumentException if the text is malformed, or as {@link #load()}
   */
  public static EmaConfig parse(String text) {
    return EmaSections.parse(text).average();
  }

  /** Returns this configuration with another strategy. */
  public EmaConfig withStrategy(EmaStrategy newStrategy) {
    return new EmaConfig(
        newStrategy, rule, policy, shadowType, device, timing, guard, canary, flushSubnormals);
  }

  /** Returns this configuration with another arithmetic. */
  public EmaConfig withRule(AveragingRule newRule) {
    return new EmaConfig(
        strategy, newRule, policy, shadowType, device, timing, guard, canary, flushSubnormals);
  }

  /** Returns this configuration with another policy. */
  public EmaConfig withPolicy(EntryPolicy newPolicy) {
    return new EmaConfig(
        strategy, rule, newPolicy, shadowType, device, timing, guard, canary, flushSubnormals);
  }

  /** Returns this configuration with another shadow type. */
  public EmaConfig withShadowType(ShadowType newShadowType) {
    return new EmaConfig(
        strategy, rule, policy, newShadowType, device, timing, guard, canary, flushSubnormals);
  }

  /** Returns this configuration with the average on a named device. */
  public EmaConfig withDevice(Device newDevice) {
    return new EmaConfig(
        strategy,
        rule,
        policy,
        shadowType,
        Optional.of(newDevice),
        timing,
        guard,
        canary,
        flushSubnormals);
  }

  /** Returns this configuration with updates at other times. */
  public EmaConfig withTiming(Timing newTiming) {
    return new EmaConfig(
        strategy, rule, policy, shadowType, device, newTiming, guard, canary, flushSubnormals);
  }

  /** Returns this configuration with another answer to NaN and infinity. */
  public EmaConfig withGuard(NonFiniteGuard newGuard) {
    return new EmaConfig(
        strategy, rule, policy, shadowType, device, timing, newGuard, canary, flushSubnormals);
  }

  /** Returns this configuration with the canary on or off. */
  public EmaConfig withCanary(boolean newCanary) {
    return new EmaConfig(
        strategy, rule, policy, shadowType, device, timing, guard, newCanary, flushSubnormals);
  }

  /** Returns this configuration with subnormal numbers flushed to zero, or not. */
  public EmaConfig withFlushSubnormals(boolean newFlushSubnormals) {
    return new EmaConfig(
        strategy, rule, policy, shadowType, device, timing, guard, canary, newFlushSubnormals);
  }

  /**
   * Returns all of this as HOCON in one line, which {@link #parse} reads back as an equal
   * configuration. Numbers are exact, and equal configurations have the same text on every JDK. A
   * {@link DecaySchedule} of the user's own is told by its class, a record's with its components;
   * {@code parse} refuses that with its name.
   */
  @Override
  public String toString() {
    return EmaConfigWriter.text(this);
  }
}
