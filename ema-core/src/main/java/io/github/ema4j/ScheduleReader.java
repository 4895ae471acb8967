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
  private static final String TYPE = "schedule.type";
  private static final String TABLE = "schedule.decayFromStep";

  private enum Type {
    CONSTANT,
    INVERSE_POWER_WARMUP,
    NUM_UPDATES_WARMUP,
    EXPONENTIAL_RAMP,
    MOMENTUM_ANNEALING,
    LINEAR,
    COSINE,
    PIECEWISE,
    HALF_LIFE,
    EDM2_RAMP,
    UNIFORM_MEAN,
    POWER_FUNCTION
  }

  private final ConfigSection section;

  ScheduleReader(ConfigSection section) {
    this.section = section;
  }

  DecaySchedule read() {
    Type type = section.choice(TYPE, Type.class, Type.CONSTANT);
    if (section.refused(TYPE)) {
      section.leaveUnchecked("schedule.");
    }
    section.group("schedule.", "with " + TYPE + " = " + ConfigSection.spelled(type) + " ");
    return wrapped(plain(type));
  }

  private DecaySchedule plain(Type type) {
    return switch (type) {
      case CONSTANT -> DecaySchedule.constant(decay());
      case INVERSE_POWER_WARMUP -> inversePowerWarmup();
      case NUM_UPDATES_WARMUP -> {
        NumUpdatesWarmup defaults = DecaySchedule.numUpdatesWarmup(decay());
        yield defaults.withWarmupFactor(
            section.atLeastOne("schedule.warmupFactor", defaults.warmupFactor()));
      }
      case EXPONENTIAL_RAMP -> {
        ExponentialRamp defaults = DecaySchedule.exponentialRamp(decay());
        yield defaults.withTau(section.positive("schedule.tau", defaults.tau()));
      }
      case MOMENTUM_ANNEALING -> {
        MomentumAnnealing defaults =
            DecaySchedule.momentumAnnealing(
                section.fraction("schedule.momentum", DEFAULT_MOMENTUM));
        yield defaults.withGamma(section.positive("schedule.gamma", defaults.gamma()));
      }
      case LINEAR -> DecaySchedule.linear(startDecay(), decay(), duration());
      case COSINE -> DecaySchedule.cosine(startDecay(), decay(), duration());
      case PIECEWISE -> piecewise();
      case HALF_LIFE -> halfLife();
      case EDM2_RAMP -> {
        Edm2Ramp defaults = DecaySchedule.edm2Ramp(halfLife().halfLife());
        yield defaults.withRampRatio(section.positive("schedule.rampRatio", defaults.rampRatio()));
      }
      case UNIFORM_MEAN -> DecaySchedule.uniformMean();
      case POWER_FUNCTION -> powerFunction();
    };
  }

  private double decay() {
    return section.fraction("schedule.decay", DEFAULT_DECAY);
  }

  private InversePowerWarmup inversePowerWarmup() {
    InversePowerWarmup defaults = DecaySchedule.inversePowerWarmup(decay());
    return defaults
        .withGamma(section.positive("schedule.gamma", defaults.gamma()))
        .withPower(section.positive("schedule.power", defaults.power()))
        .withMinDecay(section.fraction("schedule.minDecay", defaults.minDecay()))
        .withUpdateAfter(section.count("schedule.updateAfter", defaults.updateAfter()));
  }

  private double startDecay() {
    return section.fraction("schedule.startDecay", 0);
  }

  private long duration() {
    if (!section.has("schedule.duration")) {
      section.missing("schedule.duration", TYPE);
    }
    return section.countFromOne("schedule.duration", 1);
  }

  private DecaySchedule piecewise() {
    if (!section.has(TABLE)) {
      section.missing(TABLE, TYPE);
      return DecaySchedule.constant(DEFAULT_DECAY);
    }
    return section.attempt(TABLE, this::table, DecaySchedule.constant(DEFAULT_DECAY));
  }

  private DecaySchedule table() {
    TreeMap<Long, Double> decays = new TreeMap<>();
    for (String name : section.names(TABLE)) {
      Long step = Longs.tryParse(name);
      checkArgument(step != null, "steps must be whole numbers, but one was '%s'", name);
      decays.put(step, section.fraction(TABLE + "." + name, DEFAULT_DECAY));
    }
    return DecaySchedule.piecewise(decays);
  }

  private HalfLife halfLife() {
    double time = section.positive("schedule.halfLife", 1);
    double epochs = section.positive("schedule.halfLifeEpochs", 1);
    long timePerEpoch = section.countFromOne("schedule.timePerEpoch", 1);
    boolean inEpochs = section.has("schedule.halfLifeEpochs");
    if (inEpochs == section.has("schedule.halfLife")) {
      section.problem(TYPE, "needs one of schedule.halfLife and schedule.halfLifeEpochs");
    }
    if (inEpochs != section.has("schedule.timePerEpoch")) {
      section.problem(TYPE, "needs schedule.halfLifeEpochs and schedule.timePerEpoch together");
    }
    return inEpochs ? HalfLife.ofEpochs(epochs, timePerEpoch) : DecaySchedule.halfLife(time);
  }

  private DecaySchedule powerFunction() {
    if (section.has("schedule.gamma") == section.has("schedule.sigmaRel")) {
      section.problem(TYPE, "needs one of schedule.gamma and schedule.sigmaRel");
    }
    PowerFunction widest = PowerFunction.ofGamma(PowerFunction.MIN_GAMMA);
    PowerFunction bySigma =
        section.value(
            "schedule.sigmaRel",
            text -> PowerFunction.ofSigmaRel(Double.parseDouble(text)),
            widest);
    return section.value(
        "schedule.gamma", text -> PowerFunction.ofGamma(Double.parseDouble(text)), bySigma);
  }

  /** Scales first, so that the bounds are those of the decay that is used; then starts it late. */
  private DecaySchedule wrapped(DecaySchedule plain) {
    double scaling = section.positive("schedule.scaling", 1);
    DecaySchedule schedule = scaling == 1 ? plain : plain.scaledBy(scaling);
    double minimum = section.fraction("schedule.minimum", 0);
    double maximum = section.fraction("schedule.maximum", 1);
    if (minimum > maximum) {
      section.problem(
          "schedule.minimum",
          "must not be above schedule.maximum, " + maximum + ", but was " + minimum);
    } else if (minimum > 0 || maximum < 1) {
      schedule = schedule.clampedTo(minimum, maximum);
    }
    long delay = section.count("schedule.delay", 0);
    schedule = delay == 0 ? schedule : schedule.delayedBy(delay);
    return section.flag("schedule.zeroDebias", false) ? schedule.zeroDebiased() : schedule;
  }
}
