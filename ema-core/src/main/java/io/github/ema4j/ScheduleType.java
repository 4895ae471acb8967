package io.github.ema4j;

import com.google.common.collect.ImmutableList;
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
import java.util.List;
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
  HALF_LIFE(HalfLife.class, "halfLifeEpochs", "timePerEpoch"),
  EDM2_RAMP(Edm2Ramp.class, "halfLifeEpochs", "timePerEpoch"),
  UNIFORM_MEAN(UniformMean.class),
  POWER_FUNCTION(PowerFunction.class, "sigmaRel");

  private final Class<? extends DecaySchedule> schedule;
  private final ImmutableList<String> otherKeys;

  /**
   * Names a type.
   *
   * @param otherKeys in which components can be said too
   */
  ScheduleType(Class<? extends DecaySchedule> schedule, String... otherKeys) {
    this.schedule = schedule;
    this.otherKeys = ImmutableList.copyOf(otherKeys);
  }

  /** Returns the keys of this type. */
  List<String> keys() {
    Stream<String> components =
        Stream.of(schedule.getRecordComponents()).map(RecordComponent::getName);
    return Stream.concat(components, otherKeys.stream()).toList();
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
