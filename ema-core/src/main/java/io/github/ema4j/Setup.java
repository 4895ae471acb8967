package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.collect.ImmutableList.toImmutableList;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * What averages of a model consist of under a configuration.
 *
 * @param config everything but the schedules
 * @param schedules one for each average
 * @param slots the model's entries and what is done with them
 * @param others the entries that are in other shards of the model, if these are averages of one
 * @param shadows one for each average, of unspecified content
 */
record Setup<T>(
    EmaConfig config,
    ImmutableList<DecaySchedule> schedules,
    ImmutableList<Slot> slots,
    ImmutableList<Slot> others,
    ImmutableList<Shadow<T>> shadows) {

  /**
   * Allocates an average for each schedule.
   *
   * @throws IllegalArgumentException if the model has nothing to average, or patterns that match
   *     nothing
   * @throws UnsupportedOperationException if the backend has no such tensors
   */
  static <M, T> Setup<T> of(
      ModelAdapter<M, T> adapter, EmaConfig config, List<DecaySchedule> schedules, M model) {
    try (StateDict<T> dict = adapter.stateDict(model)) {
      checkArgument(!dict.entries().isEmpty(), "the model has no entries to average");
      ImmutableList<Slot> slots = slots(dict, config);
      ImmutableList<Slot> all = slots(dict.whole(), config);
      checkPatternsMatch(config.policy(), all);
      checkArgument(
          all.stream().anyMatch(Slot::isKept),
          "the policy %s skips every entry of the model",
          config.policy());
      ImmutableList<Slot> others = others(all, slots);
      checkArgument(
          others.isEmpty() || config.guard() != NonFiniteGuard.SKIP,
          "the guard SKIP cannot guard a shard of a model: the processes that average the others"
              + " would not skip the update; take FAIL or ACCEPT");
      Tensors<T> kept =
          new Tensors<>(
              "model", adapter.backend(), Slot.select(slots, dict.entries(), Slot::isKept));
      List<TensorSpec> specs =
          slots.stream().filter(Slot::isKept).map(slot -> shadowSpec(slot, config)).toList();
      specs.forEach(spec -> checkCanFlush(config, adapter.backend(), spec.device()));
      List<Shadow<T>> shadows = Shadow.allLike(kept, specs, schedules.size());
      return new Setup<>(
          config, ImmutableList.copyOf(schedules), slots, others, ImmutableList.copyOf(shadows));
    }
  }

  private static ImmutableList<Slot> slots(StateDict<?> dict, EmaConfig config) {
    return dict.entries().stream().map(entry -> slot(entry, config)).collect(toImmutableList());
  }

  private static ImmutableList<Slot> others(List<Slot> all, List<Slot> own) {
    Set<String> names = own.stream().map(Slot::name).collect(Collectors.toUnmodifiableSet());
    return all.stream().filter(slot -> !names.contains(slot.name())).collect(toImmutableList());
  }

  private static Slot slot(Entry<?> entry, EmaConfig config) {
    Treatment treatment =
        config.policy().treatment(entry.name(), entry.role(), entry.spec().type());
    return new Slot(entry.name(), entry.spec(), treatment);
  }

  private static void checkPatternsMatch(EntryPolicy policy, List<Slot> slots) {
    for (EntryPolicy.PatternRule rule : policy.patterns()) {
      checkArgument(
          slots.stream().anyMatch(slot -> rule.pattern().matches(slot.name())),
          "the policy's %s matches none of the model's %s entries, whose names are like '%s'; correct"
              + " or remove it",
          rule.pattern(),
          slots.size(),
          slots.get(0).name());
    }
  }

  private static TensorSpec shadowSpec(Slot slot, EmaConfig config) {
    TensorSpec spec = slot.modelSpec();
    ElementType type =
        slot.treatment() == Treatment.AVERAGE ? config.shadowType().of(spec.type()) : spec.type();
    return spec.withType(type).withDevice(config.device().orElse(spec.device()));
  }

  /**
   * Checks that subnormal numbers can be flushed where an average is to be, if they are to be.
   *
   * @throws UnsupportedOperationException if the framework's own operations would average there
   */
  static void checkCanFlush(EmaConfig config, TensorBackend<?> backend, Device device) {
    if (config.flushSubnormals() && backend instanceof DeviceBackend && !device.isCpu()) {
      throw new UnsupportedOperationException(
          String.format(
              "flushSubnormals is for averages in host memory, but this one is to be on %s, where"
                  + " the operations of '%s' average; leave it off, or keep the average on the cpu",
              device, backend.name()));
    }
  }

  /** Returns what turns calls into updates of one of the averages. */
  UpdateClock clock(int index) {
    return new UpdateClock(config.timing(), schedules.get(index));
  }

  /** Returns what watches the averages from their start on. */
  UpdateWarnings warnings() {
    return new UpdateWarnings(config.rule(), config.canary(), averagedTypes());
  }

  /** Returns the types in which floating-point entries are averaged. */
  private Set<ElementType> averagedTypes() {
    List<Slot> kept = slots.stream().filter(Slot::isKept).toList();
    Predicate<Slot> averaged = slot -> slot.treatment() == Treatment.AVERAGE;
    return Slot.select(kept, shadows.get(0).specs(), averaged).stream()
        .map(TensorSpec::type)
        .filter(ElementType::isFloating)
        .collect(Collectors.toUnmodifiableSet());
  }
}
