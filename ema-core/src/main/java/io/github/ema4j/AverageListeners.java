package io.github.ema4j;

import java.util.function.Supplier;

/** Two listeners, told one after the other. */
record AverageListeners(AverageListener first, AverageListener second) implements AverageListener {

  @Override
  public void started(Average<?> average, EmaConfig config) {
    first.started(average, config);
    second.started(average, config);
  }

  @Override
  public void updated(Average<?> average, long nanos, Supplier<Drift> drift) {
    first.updated(average, nanos, drift);
    second.updated(average, nanos, drift);
  }

  @Override
  public void closing(Average<?> average, Supplier<Drift> drift) {
    first.closing(average, drift);
    second.closing(average, drift);
  }
}
