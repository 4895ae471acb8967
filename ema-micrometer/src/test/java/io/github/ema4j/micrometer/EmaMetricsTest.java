package io.github.ema4j.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EmaMetricsTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final float[] weights = {1};
  private final StateDict<ArrayTensor> model =
      StateDict.builder(ArrayBackend.instance()).parameter("w", ArrayTensor.of(weights, 1)).build();

  private ModelEma<StateDict<ArrayTensor>> average(EmaMetrics metrics) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0.5))
        .guard(NonFiniteGuard.SKIP)
        .listener(metrics)
        .build(model);
  }

  private double gauge(String name) {
    return registry.get(name).tag("model", "digits").gauge().value();
  }

  private double counter(String name) {
    return registry.get(name).tag("model", "digits").functionCounter().count();
  }

  @Test
  void metersFollowTheAverage() {
    try (var average = average(EmaMetrics.in(registry, "model", "digits"))) {
      assertThat(gauge("ema.decay")).isNaN();
      assertThat(gauge("ema.start.weight")).isEqualTo(1);
      assertThat(counter("ema.updates")).isZero();

      average.update(model);
      weights[0] = 2;
      average.update(model);
      weights[0] = Float.NaN;
      average.update(model);

      assertThat(counter("ema.updates")).isEqualTo(2);
      assertThat(counter("ema.updates.skipped")).isEqualTo(1);
      assertThat(gauge("ema.decay")).isEqualTo(0.5);
      assertThat(gauge("ema.start.weight")).isEqualTo(0.25);
      var timer = registry.get("ema.update").tag("model", "digits").timer();
      assertThat(timer.count()).isEqualTo(2);
      assertThat(timer.totalTime(TimeUnit.NANOSECONDS)).isPositive();
    }
    assertThat(counter("ema.updates")).as("the last value").isEqualTo(2);
  }

  @Test
  void theDriftIsMeasuredOnlyWhenAskedFor() {
    try (var average = average(EmaMetrics.in(registry, "model", "digits"))) {
      weights[0] = 3;
      average.update(model); // to 2
      assertThat(gauge("ema.drift")).as("nobody has asked before").isNaN();
      average.update(model); // to 2.5
      assertThat(gauge("ema.drift")).isEqualTo(0.2);
      average.update(model); // to 2.75
      average.update(model); // to 2.875: nobody has asked since
      assertThat(gauge("ema.drift")).isEqualTo(0.25 / 2.75);
    }
  }

  @Test
  void theDriftCanBeAskedForByAnyThreadWhileTrainingGoesOn() throws InterruptedException {
    try (var average = average(EmaMetrics.in(registry, "model", "digits"))) {
      double[] last = {Double.NaN};
      Thread scraper =
          new Thread(
              () -> {
                while (Double.isNaN(last[0])) {
                  last[0] = gauge("ema.drift");
                }
              });
      scraper.start();
      while (scraper.isAlive()) {
        weights[0] += 1;
        average.update(model);
      }
      scraper.join();
      assertThat(last[0]).isBetween(0.0, 1.0);
    }
  }

  @Test
  void twoAveragesAreToldApartByTheirTags() {
    try (var first = average(EmaMetrics.in(registry, "model", "digits"));
        var second = average(EmaMetrics.in(registry, "model", "letters"))) {
      second.update(model);
      second.update(model);
      first.update(model);
      assertThat(counter("ema.updates")).isEqualTo(1);
      assertThat(registry.get("ema.updates").tag("model", "letters").functionCounter().count())
          .isEqualTo(2);
    }
  }

  @Test
  void closedMetricsAreGone() {
    EmaMetrics metrics = EmaMetrics.in(registry, "model", "digits");
    try (var average = average(metrics)) {
      average.update(model);
      assertThat(registry.getMeters()).hasSize(6);
      metrics.close();
      assertThat(registry.getMeters()).isEmpty();
      average.update(model); // goes on
      metrics.close();
    }
  }

  @Test
  void metricsServeOneAverage() {
    EmaMetrics metrics = EmaMetrics.in(registry, "model", "digits");
    average(metrics).close();
    assertThatIllegalStateException()
        .isThrownBy(() -> average(metrics))
        .withMessage(
            "these metrics have an average already; give each its own, with tags of its own");
  }

  @Test
  void oneLineIsEnough() {
    var adapter = ArrayBackend.adapter();
    // tag::micrometer[]
    EmaMetrics metrics = EmaMetrics.in(registry, "model", "digits");
    try (var ema = ModelEma.builder(adapter).listener(metrics).build(model)) {
      ema.update(model); // after each step of the training
    }
    // end::micrometer[]
    assertThat(counter("ema.updates")).isEqualTo(1);
  }

  @Test
  void aTagWithoutAValueIsRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> EmaMetrics.in(registry, "model"));
  }
}
