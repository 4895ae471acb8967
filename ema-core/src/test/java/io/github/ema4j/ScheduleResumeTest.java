package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.schedule.PowerFunction;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A run that stops after any update and goes on elsewhere gives the bits of one that did not. */
class ScheduleResumeTest {

  private static final int UPDATES = 24;

  static Stream<DecaySchedule> schedules() {
    return Stream.of(
        DecaySchedule.constant(0.9),
        DecaySchedule.inversePowerWarmup(0.9999),
        DecaySchedule.numUpdatesWarmup(0.9999),
        DecaySchedule.exponentialRamp(0.9999).withTau(10),
        DecaySchedule.momentumAnnealing(2e-4).withGamma(10),
        DecaySchedule.linear(0.1, 0.9, 20),
        DecaySchedule.cosine(0.9, 0.1, 20),
        DecaySchedule.piecewise(Map.of(1L, 0.5, 10L, 0.9, 20L, 0.2)),
        DecaySchedule.halfLife(3),
        DecaySchedule.edm2Ramp(2).withRampRatio(0.2),
        DecaySchedule.uniformMean(),
        PowerFunction.ofGamma(6.94),
        PowerFunction.ofSigmaRel(0.25),
        DecaySchedule.constant(0.99).zeroDebiased(),
        DecaySchedule.numUpdatesWarmup(0.9).scaledBy(0.5).delayedBy(5).zeroDebiased(),
        DecaySchedule.uniformMean().delayedBy(9).clampedTo(0.1, 0.8).scaledBy(2));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("schedules")
  void itGoesOnAsIfItHadNeverStopped(DecaySchedule schedule) {
    EmaStrategy strategy = EmaStrategy.ordered(0).scheduled(schedule);
    EmaConfig config = EmaConfig.defaults().withStrategy(strategy).withGuard(NonFiniteGuard.ACCEPT);
    EmaConfig asText = EmaConfig.parse(config.toString());
    for (int stopped = 0; stopped < UPDATES; stopped++) {
      StateDict<ArrayTensor> model = model("w", 0, 0, 0);
      try (var whole = averaging().strategy(strategy).build(model);
          var first = averaging().strategy(strategy).build(model);
          var second = averaging().config(asText).build(model("w", 8, 8, 8))) {
        for (int update = 0; update < UPDATES; update++) {
          if (update == stopped) {
            second.load(first.state(), first.progress());
          }
          floats(model)[update % 3] = 1f / (update + 1);
          whole.update(model, 1 + update % 3);
          (update < stopped ? first : second).update(model, 1 + update % 3);
        }
        assertThat(floats(second.state()))
            .as("stopped after %d", stopped)
            .isEqualTo(floats(whole.state()));
        assertThat(second.progress()).isEqualTo(whole.progress());
      }
    }
  }
}
