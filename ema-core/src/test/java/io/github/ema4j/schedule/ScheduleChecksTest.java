package io.github.ema4j.schedule;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import io.github.ema4j.DecaySchedule;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ScheduleChecksTest {

  private static final DecaySchedule HALVING = DecaySchedule.constant(0.5);

  private static Arguments refused(String message, ThrowingCallable call) {
    return Arguments.of(message, call);
  }

  static Stream<Arguments> settingsOutOfTheirRange() {
    return Stream.of(
        refused("decay must be in [0, 1], but was -0.1", () -> DecaySchedule.constant(-0.1)),
        refused("decay must be in [0, 1], but was 1.5", () -> DecaySchedule.numUpdatesWarmup(1.5)),
        refused(
            "warmupFactor must be at least 1 and finite, but was 0.5",
            () -> DecaySchedule.numUpdatesWarmup(0.9).withWarmupFactor(0.5)),
        refused("decay must be in [0, 1], but was NaN", () -> new ExponentialRamp(Double.NaN, 1)),
        refused(
            "tau must be above 0 and finite, but was 0.0",
            () -> DecaySchedule.exponentialRamp(0.9).withTau(0)),
        refused(
            "momentum must be in [0, 1], but was 2.0", () -> DecaySchedule.momentumAnnealing(2)),
        refused(
            "gamma must be above 0 and finite, but was -1.0",
            () -> DecaySchedule.momentumAnnealing(0.1).withGamma(-1)),
        refused(
            "startDecay must be in [0, 1], but was 1.1", () -> DecaySchedule.linear(1.1, 0.9, 10)),
        refused("decay must be in [0, 1], but was -1.0", () -> DecaySchedule.linear(0.9, -1, 10)),
        refused("duration must be at least 1, but was 0", () -> DecaySchedule.linear(0.9, 1, 0)),
        refused("startDecay must be in [0, 1], but was 3.0", () -> DecaySchedule.cosine(3, 1, 10)),
        refused("decay must be in [0, 1], but was 3.0", () -> DecaySchedule.cosine(1, 3, 10)),
        refused("duration must be at least 1, but was -5", () -> DecaySchedule.cosine(0.9, 1, -5)),
        refused(
            "decayFromStep must have a decay from step 1 on",
            () -> DecaySchedule.piecewise(Map.of())),
        refused(
            "decayFromStep must begin at step 1, but begins at 10",
            () -> DecaySchedule.piecewise(Map.of(10L, 0.9))),
        refused(
            "decayFromStep must begin at step 1, but begins at 0",
            () -> DecaySchedule.piecewise(new TreeMap<>(Map.of(0L, 0.9, 1L, 0.9)))),
        refused(
            "the decay from step 10 must be in [0, 1], but was 9.0",
            () -> DecaySchedule.piecewise(Map.of(1L, 0.9, 10L, 9.0))),
        refused(
            "halfLife must be above 0 and finite, but was 0.0", () -> DecaySchedule.halfLife(0)),
        refused("halfLife must be above 0 and finite, but was 0.0", () -> Decays.fromHalfLife(0)),
        refused("decay must be in [0, 1], but was 1.1", () -> Decays.halfLife(1.1)),
        refused("window must be at least 1 and finite, but was 0.5", () -> Decays.fromWindow(0.5)),
        refused("decay must be in [0, 1], but was -0.1", () -> Decays.window(-0.1)),
        refused("decay must be in [0, 1], but was 2.0", () -> Decays.scaled(2, 1)),
        refused("kappa must be above 0 and finite, but was 0.0", () -> Decays.scaled(0.9, 0)),
        refused(
            "halfLifeEpochs must be above 0 and finite, but was -2.0",
            () -> HalfLife.ofEpochs(-2, 10)),
        refused("timePerEpoch must be at least 1, but was 0", () -> HalfLife.ofEpochs(2, 0)),
        refused(
            "halfLife must be above 0 and finite, but was Infinity",
            () -> DecaySchedule.edm2Ramp(Double.POSITIVE_INFINITY)),
        refused(
            "rampRatio must be above 0 and finite, but was 0.0",
            () -> DecaySchedule.edm2Ramp(9).withRampRatio(0)),
        refused("delay must not be negative, but was -1", () -> HALVING.delayedBy(-1)),
        refused("minimum must be in [0, 1], but was -1.0", () -> HALVING.clampedTo(-1, 1)),
        refused("maximum must be in [0, 1], but was 2.0", () -> HALVING.clampedTo(0, 2)),
        refused(
            "minimum must not be above maximum, but they were 0.7 and 0.3",
            () -> HALVING.clampedTo(0.7, 0.3)),
        refused("kappa must be above 0 and finite, but was 0.0", () -> HALVING.scaledBy(0)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("settingsOutOfTheirRange")
  void settingsOutOfTheirRangeAreRefused(String message, ThrowingCallable call) {
    assertThatIllegalArgumentException().isThrownBy(call).withMessage(message);
  }

  @Test
  void wrappersNeedASchedule() {
    assertThatNullPointerException().isThrownBy(() -> new DelayedStart(null, 1));
    assertThatNullPointerException().isThrownBy(() -> new ClampedDecay(null, 0, 1));
    assertThatNullPointerException().isThrownBy(() -> new ScaledDecay(null, 1));
    assertThatNullPointerException().isThrownBy(() -> new ZeroDebias(null));
  }
}
