package io.github.ema4j;

import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the type of a shadow and the rule do to an average over a long training. */
class PrecisionTest {
  private static final double DECAY = 0.9999;
  private static final int STEPS = 20_000;

  /**
   * The shadow of the model's own type comes no further than to where a ten-thousandth of the rest
   * of the way is less than half a unit in the last place.
   *
   * @param bits the half-precision number that the model jumps to from 0
   * @param target the same number
   * @param stall where an average of the model's type stays
   */
  @ParameterizedTest(name = "{0} towards {2}: float32 arrives, {0} stays at {3}")
  @CsvSource({
    "BF16, 3f80, 1, 0.03125",
    "F16, 3c00, 1, 0.25",
    "BF16, 3f33, 0.69921875, 0.03125",
    "F16, 399a, 0.7001953125, 0.125",
  })
  void theFloatShadowOfAHalfModelGoesOnWhereAHalfShadowStalls(
      ElementType type, String bits, double target, double stall) {
    short[] weight = {0};
    StateDict<ArrayTensor> model = dict().parameter("w", ArrayTensor.of(type, weight, 1)).build();
    ModelEma.Builder<StateDict<ArrayTensor>> builder =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(DECAY))
            .canary(false);
    try (var average = builder.build(model);
        var own = builder.shadowType(ShadowType.MODEL).build(model)) {
      short[] stalled = (short[]) ((ArrayTensor) own.state().entries().get(0).tensor()).array();
      weight[0] = (short) Integer.parseInt(bits, 16);
      for (int step = 1; step <= STEPS; step++) {
        average.update(model);
        own.update(model);
      }

      double way = floats(average.state())[0] / target;
      assertThat(way).isCloseTo(0.8647, within(1e-4 * 0.8647));
      assertThat(way).isCloseTo(1 - Math.pow(DECAY, STEPS), within(1e-4 * 0.8647));
      assertThat(value(type, stalled[0])).isEqualTo(stall);
      own.update(model);
      assertThat(value(type, stalled[0])).as("one update later").isEqualTo(stall);
    }
  }

  /** By the definition of the formats, for numbers that are not subnormal. */
  private static double value(ElementType type, short bits) {
    int fractionBits = type == ElementType.BF16 ? 7 : 10;
    int bias = type == ElementType.BF16 ? 127 : 15;
    int fraction = bits & ((1 << fractionBits) - 1);
    int exponent = (bits & 0x7fff) >>> fractionBits;
    return Math.scalb(1 + fraction / (double) (1 << fractionBits), exponent - bias);
  }

  /**
   * Its two products and the sum round; where the rest of the way is lost in that, an average
   * stays: one that comes from below stays below its gain times the model, one from above stays
   * above.
   */
  @Test
  void aWeightedSumInFloatHeadsForItsGainTimesTheModel() {
    double gain = 0.999834;
    double lost = 2.5 * 0x1p-24 / (1 - DECAY); // of the model: half a unit for each rounding
    float[] weights = constants();
    double[] fromBelow = settled(weights, 0.5f, ShadowType.F32);
    double[] fromAbove = settled(weights, 2, ShadowType.F32);
    for (int i = 0; i < weights.length; i++) {
      assertThat(fromBelow[i] / weights[i]).isBetween(gain - lost, gain + 1e-5);
      assertThat(fromAbove[i] / weights[i]).isBetween(gain - 1e-5, gain + lost);
    }
  }

  @Test
  void aWeightedSumInDoubleHasNoSuchGain() {
    float[] weights = constants();
    double[] settled = settled(weights, 2, ShadowType.F64);
    for (int i = 0; i < weights.length; i++) {
      assertThat(settled[i] / weights[i]).isCloseTo(1, within(1e-6));
    }
  }

  private static float[] constants() {
    float[] constants = new float[64];
    Random random = new Random(83);
    for (int i = 0; i < constants.length; i++) {
      constants[i] = 1 + random.nextFloat();
    }
    return constants;
  }

  /** Returns the average of weights that do not move, after it started at a multiple of them. */
  private static double[] settled(float[] weights, float start, ShadowType type) {
    float[] now = weights.clone();
    for (int i = 0; i < now.length; i++) {
      now[i] *= start;
    }
    StateDict<ArrayTensor> model = Models.model("w", now);
    try (var average =
        Models.averaging()
            .rule(AveragingRule.WEIGHTED_SUM)
            .strategy(EmaStrategy.nameMatched(DECAY))
            .shadowType(type)
            .canary(false)
            .build(model)) {
      System.arraycopy(weights, 0, now, 0, now.length);
      for (int step = 0; step < 15 / (1 - DECAY); step++) {
        average.update(model);
      }
      double[] settled = new double[now.length];
      average.copyTo(dict().parameter("w", ArrayTensor.of(settled, now.length)).build());
      return settled;
    }
  }

  /** Where a millionth of the rest of the way is less than half a unit in the last place. */
  @Test
  void evenAFloatShadowStaysShortAtADecayNearOne() {
    float[] weight = {1};
    StateDict<ArrayTensor> model = Models.model("w", weight);
    ModelEma.Builder<StateDict<ArrayTensor>> builder =
        Models.averaging().strategy(EmaStrategy.nameMatched(0.999999)).canary(false);
    try (var average = builder.build(model);
        var wide = builder.shadowType(ShadowType.F64).build(model)) {
      weight[0] = 1.059f;
      average.update(model);
      wide.update(model);
      assertThat(floats(average.state())).containsExactly(1);
      weight[0] = 1.061f;
      average.update(model);
      assertThat(floats(average.state())).containsExactly(Math.nextUp(1f));
      assertThat(wide.progress().effectiveWindow()).isCloseTo(1e6, within(1e-4));
      double[] exact = (double[]) ((ArrayTensor) wide.state().entries().get(0).tensor()).array();
      assertThat(exact[0]).isCloseTo(1 + 5.9e-8, within(1e-13));
    }
  }
}
