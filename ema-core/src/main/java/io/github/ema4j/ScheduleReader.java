package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Longs;
import io.github.ema4j.schedule.Edm2Ramp;
import io.github.ema4j.schedule.ExponentialRamp;
import io.github.ema4j.schedule.HalfLife;
import io.github.ema4j.schedule.InversePowerWarmup;
import io.github.ema4j.schedule.MomentumAnnealing;
import io.github.ema4j.schedule.NumUpdatesWarmup;
import io.github.ema4j.schedule.PowerFunction;
import java.util.TreeMap;

/** Reads the keys of a schedule. Only the parameters of the type that is named are known. */
final class ScheduleReader {
  private static final double DEFAULT_DECAY = 0.9999;
  private static final double DEFAULT_MOMENTUM = 2e-4;
  private static final String TABLE = "decayFromStep";

  private final ConfigSection section;
  private final String prefix;

  /**
   * Reads a schedule.
   *
   * @param prefix what the keys begin with, up to and including the dot
   */
  ScheduleReader(ConfigSection section, String prefix) {
    this.section = section;
    this.prefix = prefix;
  }

  private String key(String name) {
    return prefix + name;
  }

  DecaySchedule read() {
    if (section.has(key("code"))) {
      section.value(key("code"), ScheduleReader::refuseCode, "");
    }
    for (ScheduleType type : ScheduleType.values()) {
      type.keys().forEach(name -> section.elsewhere(key(name), ConfigSection.spelled(type)));
    }
    return wrapped(section.table(key("of")) ? inner() : plain());
  }

  private static String refuseCode(String code) {
    throw new IllegalArgumentException(
        "the schedule is a program's own, "
            + code
            + ", which no text can make; give it to EmaConfig.withStrategy");
  }

  private DecaySchedule inner() {
    section.group(prefix, "with " + key("of") + " ");
    return new ScheduleReader(section, key("of.")).read();
  }

  private DecaySchedule plain() {
    ScheduleType type = section.choice(key("type"), ScheduleType.class, ScheduleType.CONSTANT);
    if (section.refused(key("type"))) {
      section.leaveUnchecked(prefix);
    }
    section.group(prefix, "with " + key("type") + " = " + ConfigSection.spelled(type) + " ");
    return plain(type);
  }

  private DecaySchedule plain(ScheduleType type) {
    return switch (type) {
      case CONSTANT -> DecaySchedule.constant(decay());
      case INVERSE_POWER_WARMUP -> inversePowerWarmup();
      case NUM_UPDATES_WARMUP -> {
        NumUpdatesWarmup defaults = DecaySchedule.numUpdatesWarmup(decay());
        yield defaults.withWarmupFactor(
            section.atLeastOne(key("warmupFactor"), defaults.warmupFactor()));
      }
      case EXPONENTIAL_RAMP -> {
        ExponentialRamp defaults = DecaySchedule.exponentialRamp(decay());
        yield defaults.withTau(section.positive(key("tau"), defaults.tau()));
      }
      case MOMENTUM_ANNEALING -> {
        MomentumAnnealing defaults =
            DecaySchedule.momentumAnnealing(section.fraction(key("momentum"), DEFAULT_MOMENTUM));
        yield defaults.withGamma(section.positive(key("gamma"), defaults.gamma()));
      }
      case LINEAR -> DecaySchedule.linear(startDecay(), decay(), duration());
      case COSINE -> DecaySchedule.cosine(startDecay(), decay(), duration());
      case PIECEWISE -> piecewise();
      case HALF_LIFE -> halfLife();
      case EDM2_RAMP -> {
        Edm2Ramp defaults = DecaySchedule.edm2Ramp(halfLife().halfLife());
        yield defaults.withRampRatio(section.positive(key("rampRatio"), defaults.rampRatio()));
      }
      case UNIFORM_MEAN -> DecaySchedule.uniformMean();
      case POWER_FUNCTION -> powerFunction();
    };
  }

  private double decay() {
    return section.fraction(key("decay"), DEFAULT_DECAY);
  }

  private InversePowerWarmup inversePowerWarmup() {
    InversePowerWarmup defaults = DecaySchedule.inversePowerWarmup(decay());
    return defaults
        .withGamma(section.positive(key("gamma"), defaults.gamma()))
        .withPower(section.positive(key("power"), defaults.power()))
        .withMinDecay(section.fraction(key("minDecay"), defaults.minDecay()))
        .withUpdateAfter(section.count(key("updateAfter"), defaults.updateAfter()));
  }

  private double startDecay() {
    return section.fraction(key("startDecay"), 0);
  }

  private long duration() {
    if (!section.has(key("duration"))) {
      section.missing(key("duration"), key("type"));
    }
    return section.countFromOne(key("duration"), 1);
  }

  private DecaySchedule piecewise() {
    if (!section.has(key(TABLE))) {
      section.missing(key(TABLE), key("type"));
      return DecaySchedule.constant(DEFAULT_DECAY);
    }
    return section.attempt(key(TABLE), this::table, DecaySchedule.constant(DEFAULT_DECAY));
  }

  private DecaySchedule table() {
    TreeMap<Long, Double> decays = new TreeMap<>();
    for (String name : section.names(key(TABLE))) {
      Long step = Longs.tryParse(name);
      checkArgument(step != null, "steps must be whole numbers, but one was '%s'", name);
      decays.put(step, section.fraction(key(TABLE) + "." + name, DEFAULT_DECAY));
    }
    return DecaySchedule.piecewise(decays);
  }

  private HalfLife halfLife() {
    double time = section.positive(key("halfLife"), 1);
    double epochs = section.positive(key("halfLifeEpochs"), 1);
    long timePerEpoch = section.countFromOne(key("timePerEpoch"), 1);
    boolean inEpochs = section.has(key("halfLifeEpochs"));
    if (inEpochs == section.has(key("halfLife"))) {
      section.problem(
          key("type"), "needs one of " + key("halfLife") + " and " + key("halfLifeEpochs"));
    }
    if (inEpochs != section.has(key("timePerEpoch"))) {
      section.problem(
          key("type"),
          "needs " + key("halfLifeEpochs") + " and " + key("timePerEpoch") + " together");
    }
    return inEpochs ? HalfLife.ofEpochs(epochs, timePerEpoch) : DecaySchedule.halfLife(time);
  }

  private DecaySchedule powerFunction() {
    if (section.has(key("gamma")) == section.has(key("sigmaRel"))) {
      section.problem(key("type"), "needs one of " + key("gamma") + " and " + key("sigmaRel"));
    }
    PowerFunction widest = PowerFunction.ofGamma(PowerFunction.MIN_GAMMA);
    PowerFunction bySigma =
        section.value(
            key("sigmaRel"), text -> PowerFunction.ofSigmaRel(Double.parseDouble(text)), widest);
    return section.value(
        key("gamma"), text -> PowerFunction.ofGamma(Double.parseDouble(text)), bySigma);
  }

  /** Scales first, so that the bounds are those of the decay that is used; then starts it late. */
  private DecaySchedule wrapped(DecaySchedule inner) {
    DecaySchedule schedule = inner.scaledBy(section.positive(key("scaling"), 1));
    double minimum = section.fraction(key("minimum"), 0);
    double maximum = section.fraction(key("maximum"), 1);
    if (minimum > maximum) {
      section.problem(
          key("minimum"),
          "must not be above " + key("maximum") + ", " + maximum + ", but was " + minimum);
    } else {
      schedule = schedule.clampedTo(minimum, maximum);
    }
    schedule = schedule.delayedBy(section.count(key("delay"), 0));
    return section.flag(key("zeroDebias"), false) ? schedule.zeroDebiased() : schedule;
  }
}
