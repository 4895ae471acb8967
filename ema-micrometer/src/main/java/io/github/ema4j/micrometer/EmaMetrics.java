package io.github.ema4j.micrometer;

import static java.util.Objects.requireNonNull;

import io.github.ema4j.Average;
import io.github.ema4j.AverageListener;
import io.github.ema4j.Drift;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.Progress;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The metrics of one average in a Micrometer registry.
 *
 * <pre>{@code
 * ModelEma.builder(adapter).listener(EmaMetrics.in(registry, "model", "digits")).build(model);
 * }</pre>
 *
 * <p>The meters, with the tags that are given:
 *
 * <ul>
 *   <li>{@code ema.updates}: counter of updates
 *   <li>{@code ema.updates.skipped}: counter of those that the guard left out
 *   <li>{@code ema.update}: timer of the updates
 *   <li>{@code ema.decay}: gauge of the last update's decay
 *   <li>{@code ema.start.weight}: gauge of the share that the starting point still has
 *   <li>{@code ema.drift}: gauge of {@code |m - e| / |e|}, the model's distance from the average
 * </ul>
 *
 * <p>The drift takes a pass over the weights, which only the training thread can make while they
 * stand still: reading the gauge asks for one and returns the last, which is NaN at first; the next
 * update measures. Nobody who does not read it pays for it. All other meters are read from what the
 * average knows anyway, by any thread.
 *
 * <p>The meters stay in the registry until {@link #close}, but do not keep the average from being
 * garbage: from then on gauges are NaN, and counters stay as they were.
 */
public final class EmaMetrics implements AverageListener, AutoCloseable {
  private final MeterRegistry registry;
  private final Tags tags;
  private final List<Meter> meters = new ArrayList<>();
  private @Nullable Timer timer;
  private volatile double drift = Double.NaN;
  private volatile boolean driftWanted;

  private EmaMetrics(MeterRegistry registry, Tags tags) {
    this.registry = registry;
    this.tags = tags;
  }

  /**
   * Returns metrics for an average that is going to be built.
   *
   * @param registry where the meters are registered when the average starts; stays the caller's
   * @param tags keys and values in turn, that tell this average from others in the registry
   * @throws IllegalArgumentException if a key has no value
   */
  public static EmaMetrics in(MeterRegistry registry, String... tags) {
    return new EmaMetrics(requireNonNull(registry, "registry"), Tags.of(tags));
  }

  /**
   * Registers the meters.
   *
   * @throws IllegalStateException if these are another average's already
   */
  @Override
  public void started(Average<?> average, EmaConfig config) {
    if (timer != null) {
      throw new IllegalStateException(
          "these metrics have an average already; give each its own, with tags of its own");
    }
    timer =
        Timer.builder("ema.update")
            .description("Time that updates of the average take")
            .tags(tags)
            .register(registry);
    meters.add(timer);
    count(average, "ema.updates", "Updates of the average", Progress::updates);
    count(
        average,
        "ema.updates.skipped",
        "Updates that were left out as the model was not finite",
        Progress::skipped);
    gauge(average, "ema.decay", "Decay of the last update", each -> each.progress().decay());
    gauge(
        average,
        "ema.start.weight",
        "Share that the starting point still has in the average",
        each -> each.progress().startWeight());
    gauge(
        this,
        "ema.drift",
        "Distance of the model from the average, relative to it",
        EmaMetrics::askForDrift);
  }

  private void count(
      Average<?> average, String name, String description, ToDoubleFunction<Progress> value) {
    meters.add(
        FunctionCounter.builder(name, average, each -> value.applyAsDouble(each.progress()))
            .description(description)
            .tags(tags)
            .register(registry));
  }

  private <S> void gauge(S of, String name, String description, ToDoubleFunction<S> value) {
    meters.add(
        Gauge.builder(name, of, value).description(description).tags(tags).register(registry));
  }

  private double askForDrift() {
    driftWanted = true;
    return drift;
  }

  @Override
  public void updated(Average<?> average, long nanos, Supplier<Drift> measured) {
    requireNonNull(timer, "an average starts before it is updated")
        .record(nanos, TimeUnit.NANOSECONDS);
    if (driftWanted) {
      driftWanted = false;
      drift = measured.get().total();
    }
  }

  /** Takes the meters out of the registry. */
  @Override
  public void close() {
    meters.forEach(registry::remove);
    meters.clear();
  }
}
