package io.github.ema4j;

import io.github.ema4j.schedule.ConstantDecay;
import io.github.ema4j.schedule.CosineDecay;
import io.github.ema4j.schedule.Edm2Ramp;
import io.github.ema4j.schedule.ExponentialRamp;
import io.github.ema4j.schedule.HalfLife;
import io.github.ema4j.schedule.InversePowerWarmup;
import io.github.ema4j.schedule.LinearDecay;
import io.github.ema4j.schedule.MomentumAnnealing;
import io.github.ema4j.schedule.NumUpdatesWarmup;
import io.github.ema4j.schedule.PiecewiseDecay;
import io.github.ema4j.schedule.PowerFunction;
import io.github.ema4j.schedule.UniformMean;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The schedules that a configuration names by {@code type}. Each is a record whose components have
 * the names of its keys, so that what is written cannot differ from what is read.
 */
enum ScheduleType {
  CONSTANT(ConstantDecay.class),
  INVERSE_POWER_WARMUP(InversePowerWarmup.class),
  NUM_UPDATES_WARMUP(NumUpdatesWarmup.class),
  EXPONENTIAL_RAMP(ExponentialRamp.class),
  MOMENTUM_ANNEALING(MomentumAnnealing.class),
  LINEAR(LinearDecay.class),
  COSINE(CosineDecay.class),
  PIECEWISE(PiecewiseDecay.class),
  HALF_LIFE(HalfLife.class),
  EDM2_RAMP(Edm2Ramp.class),
  UNIFORM_MEAN(UniformMean.class),
  POWER_FUNCTION(PowerFunction.class);

  private final Class<? extends DecaySchedule> schedule;

  ScheduleType(Class<? extends DecaySchedule> schedule) {
    this.schedule = schedule;
  }

  /** Returns the type of a schedule; nothing for wrappers and for a user's own. */
  static Optional<ScheduleType> of(DecaySchedule schedule) {
    return Stream.of(values()).filter(type -> type.schedule == schedule.getClass()).findFirst();
  }

  /** Returns what a schedule of this type would be read from: its keys with their values. */
  Map<String, Object> parameters(DecaySchedule made) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    for (RecordComponent component : schedule.getRecordComponents()) {
      try {
        parameters.put(component.getName(), component.getAccessor().invoke(made));
      } catch (ReflectiveOperationException e) {
        throw new LinkageError(component.toString(), e);
      }
    }
    return parameters;
  }
}
