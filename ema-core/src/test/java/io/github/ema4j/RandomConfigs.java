package io.github.ema4j;

import io.github.ema4j.schedule.Edm2Ramp;
import io.github.ema4j.schedule.ExponentialRamp;
import io.github.ema4j.schedule.InversePowerWarmup;
import io.github.ema4j.schedule.MomentumAnnealing;
import io.github.ema4j.schedule.NumUpdatesWarmup;
import io.github.ema4j.schedule.PowerFunction;
import java.util.Random;
import java.util.TreeMap;

/**
 * Draws configurations of every kind that needs no code, with values at the ends of their range.
 */
final class RandomConfigs {
  /** Each is a glob and a regular expression. */
  private static final String[] TEXTS = {
    ".*bias",
    "a b",
    "\"quoted\"",
    "\\d+",
    "$\\{x}",
    "#",
    "// c",
    "ü\u2028\uD83D\uDE00",
    "[,:=]",
    "\t\n\u0001",
    "null",
    "include",
    ".",
    "0.5",
    "'",
    " "
  };

  private final Random random;

  RandomConfigs(long seed) {
    random = new Random(seed);
  }

  EmaConfig config() {
    EmaConfig config =
        EmaConfig.defaults()
            .withStrategy(new EmaStrategy(any(EmaStrategy.Pairing.values()), schedule()))
            .withRule(any(AveragingRule.values()))
            .withPolicy(policy())
            .withShadowType(any(ShadowType.values()))
            .withTiming(
                new Timing(
                    any(Clock.values()), whole(), (int) Math.min(whole(), Integer.MAX_VALUE)))
            .withGuard(any(NonFiniteGuard.values()))
            .withFlushSubnormals(random.nextBoolean())
            .withCanary(random.nextBoolean());
    return switch (random.nextInt(3)) {
      case 0 -> config.withDevice(Device.CPU);
      case 1 -> config.withDevice(new Device("cuda", random.nextInt(9999)));
      default -> config;
    };
  }

  private EntryPolicy policy() {
    EntryPolicy policy = EntryPolicy.defaults();
    for (Role role : Role.values()) {
      policy = policy.with(role, any(Treatment.values()));
    }
    for (int i = random.nextInt(4); i > 0; i--) {
      String text = any(TEXTS);
      policy =
          policy.with(
              random.nextBoolean() ? NamePattern.glob(text) : NamePattern.regex(text),
              any(Treatment.values()));
    }
    return policy;
  }

  /** Returns a schedule in up to five wrappers, whichever is in whichever. */
  DecaySchedule schedule() {
    DecaySchedule schedule = plain(any(ScheduleType.values()));
    for (int i = random.nextInt(6); i > 0; i--) {
      double bound = fraction();
      schedule =
          switch (random.nextInt(4)) {
            case 0 -> schedule.scaledBy(positive());
            case 1 -> schedule.clampedTo(bound * fraction(), bound);
            case 2 -> schedule.delayedBy(whole() - 1);
            default -> schedule.zeroDebiased();
          };
    }
    return schedule;
  }

  private DecaySchedule plain(ScheduleType type) {
    return switch (type) {
      case CONSTANT -> DecaySchedule.constant(fraction());
      case INVERSE_POWER_WARMUP ->
          new InversePowerWarmup(fraction(), positive(), positive(), fraction(), whole() - 1);
      case NUM_UPDATES_WARMUP -> new NumUpdatesWarmup(fraction(), 1 + positive() / 2);
      case EXPONENTIAL_RAMP -> new ExponentialRamp(fraction(), positive());
      case MOMENTUM_ANNEALING -> new MomentumAnnealing(fraction(), positive());
      case LINEAR -> DecaySchedule.linear(fraction(), fraction(), whole());
      case COSINE -> DecaySchedule.cosine(fraction(), fraction(), whole());
      case PIECEWISE -> piecewise();
      case HALF_LIFE -> DecaySchedule.halfLife(positive());
      case EDM2_RAMP -> new Edm2Ramp(positive(), positive());
      case UNIFORM_MEAN -> DecaySchedule.uniformMean();
      case POWER_FUNCTION ->
          random.nextBoolean()
              ? PowerFunction.ofGamma(PowerFunction.MIN_GAMMA + positive())
              : PowerFunction.ofSigmaRel(0.3 * (1 - random.nextDouble()));
    };
  }

  private DecaySchedule piecewise() {
    TreeMap<Long, Double> table = new TreeMap<>();
    table.put(1L, fraction());
    for (int i = random.nextInt(5); i > 0; i--) {
      table.put(whole(), fraction());
    }
    return DecaySchedule.piecewise(table);
  }

  private double fraction() {
    return switch (random.nextInt(8)) {
      case 0 -> 0;
      case 1 -> -0.0;
      case 2 -> 1;
      case 3 -> Math.nextDown(1.0);
      case 4 -> Double.MIN_VALUE;
      case 5 -> 0.9999;
      default -> random.nextDouble();
    };
  }

  private double positive() {
    return switch (random.nextInt(6)) {
      case 0 -> Double.MIN_VALUE;
      case 1 -> Double.MAX_VALUE;
      case 2 -> 1 + random.nextInt(5000);
      case 3 -> 0x1p-44; // Double.toString has one digit too many before JDK 19
      default -> Math.exp(80 * random.nextDouble() - 40);
    };
  }

  private long whole() {
    return switch (random.nextInt(4)) {
      case 0 -> 1;
      case 1 -> Long.MAX_VALUE;
      default -> 1L + random.nextInt(100_000);
    };
  }

  private <V> V any(V[] values) {
    return values[random.nextInt(values.length)];
  }
}
