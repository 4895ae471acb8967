package io.github.ema4j.internal;

import static io.github.ema4j.internal.KernelFixture.assertSame;
import static io.github.ema4j.internal.KernelFixture.averaged;
import static io.github.ema4j.internal.KernelFixture.buffer;
import static io.github.ema4j.internal.KernelFixture.flat;
import static io.github.ema4j.internal.KernelFixture.lerp;
import static io.github.ema4j.internal.KernelFixture.read;
import static io.github.ema4j.internal.KernelFixture.values;
import static io.github.ema4j.internal.KernelFixture.weightedSum;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.common.primitives.Doubles;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class KernelArithmeticTest {

  private static final int[] SIZES = {0, 1, 7, 8, 9, 15, 16, 17, 1023, 1024, 1025, 4099, 70_000};

  /** The last four lie just above and below a weight of one half, in float and in double. */
  private static final double[] DECAYS = {
    0, 1e-9, 0.25, 0.9, 0.9999, 1, 0.5, 0.5 + 0x1p-25, 0.5 - 0x1p-25, Math.nextUp(0.5)
  };

  static Stream<Arguments> wholeTypes() {
    return Stream.of(ElementType.F32, ElementType.F64)
        .flatMap(
            type ->
                Arrays.stream(AveragingRule.values())
                    .flatMap(
                        rule ->
                            Doubles.asList(DECAYS).stream()
                                .map(decay -> Arguments.of(type, rule, decay, 17L))));
  }

  @ParameterizedTest(name = "{0}, {1}, decay {2}, seed {3}")
  @MethodSource("wholeTypes")
  void everyElementIsExactAtEverySize(
      ElementType type, AveragingRule rule, double decay, long seed) {
    Random random = new Random(seed);
    for (int size : SIZES) {
      if (size > 5_000 && decay != 0.9999) {
        continue;
      }
      double[] averages = values(type, size, random);
      double[] models = values(type, size, random);
      double[] expected = expected(rule, Format.of(type), averages, models, decay);
      assertSame(
          averaged(type, averages, type, models, decay, rule),
          expected,
          "seed %d, size %d".formatted(seed, size));
    }
  }

  static Stream<Arguments> halfModels() {
    return pairs(
        new ElementType[] {ElementType.F32, ElementType.F64},
        new ElementType[] {ElementType.F16, ElementType.BF16, ElementType.F32});
  }

  @ParameterizedTest(name = "{0} average of {1} model, {2}")
  @MethodSource("halfModels")
  void narrowModelsAreWidenedExactly(
      ElementType averageType, ElementType modelType, AveragingRule rule) {
    assertExact(averageType, modelType, rule, Format.of(averageType), 23);
  }

  @ParameterizedTest(name = "F32 average of F64 model, {0}")
  @EnumSource(AveragingRule.class)
  void wideModelsAreRoundedToTheArithmeticFirst(AveragingRule rule) {
    Random random = new Random(29);
    for (double decay : DECAYS) {
      double[] averages = values(ElementType.F32, 3_000, random);
      double[] models = values(ElementType.F64, 3_000, random);
      double[] rounded = Arrays.stream(models).map(Format.F32::round).toArray();
      assertSame(
          averaged(ElementType.F32, averages, ElementType.F64, models, decay, rule),
          expected(rule, Format.F32, averages, rounded, decay),
          "seed 29, decay " + decay);
    }
  }

  static Stream<Arguments> halfAverages() {
    return pairs(
        new ElementType[] {ElementType.F16, ElementType.BF16},
        new ElementType[] {ElementType.F16, ElementType.BF16, ElementType.F32, ElementType.F64});
  }

  @ParameterizedTest(name = "{0} average of {1} model")
  @MethodSource("halfAverages")
  void halfAveragesAreLerpedInFloatAndRoundedWhenStored(
      ElementType averageType, ElementType modelType, AveragingRule rule) {
    if (rule != AveragingRule.LERP) {
      return;
    }
    Random random = new Random(31);
    for (double decay : DECAYS) {
      double[] averages = values(averageType, 3_000, random);
      double[] models = values(modelType, 3_000, random);
      double[] expected = new double[averages.length];
      for (int i = 0; i < expected.length; i++) {
        double single = lerp(Format.F32, averages[i], Format.F32.round(models[i]), decay);
        expected[i] = Format.of(averageType).round(single);
      }
      assertSame(
          averaged(averageType, averages, modelType, models, decay, rule),
          expected,
          "seed 31, decay " + decay);
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"F16", "BF16"})
  void halfWeightedSumsRoundScalarsProductsAndSum(ElementType type) {
    assertExact(type, type, AveragingRule.WEIGHTED_SUM, Format.of(type), 37);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"F64", "F32", "F16", "BF16"})
  void lerpKeepsTheAverageOfAConstant(ElementType type) {
    Random random = new Random(41);
    double[] finite =
        Arrays.stream(values(type, 3_000, random))
            .filter(value -> Double.isFinite(value) && value != 0)
            .toArray();
    for (double decay : DECAYS) {
      assertSame(
          averaged(type, finite, type, finite, decay, AveragingRule.LERP),
          finite,
          "seed 41, decay " + decay);
    }
  }

  /** Where rounding holds a value in place it stays; where it does not, it falls to the gain. */
  @ParameterizedTest(name = "gain {1} at decay {0}, seed 83")
  @CsvSource({"0.9999, 0.999834", "0.99999, 0.99864"})
  void weightedSumLetsConstantsDriftDownToItsGain(double decay, double gain) {
    assertDriftDownTo(gain, decay);
  }

  @Test
  @Tag("full") // ten million updates
  void weightedSumLosesOnePercentAtADecayNearerToOne() {
    assertDriftDownTo(0.98690, 0.999999);
  }

  private static void assertDriftDownTo(double gain, double decay) {
    double[] constants = new Random(83).doubles(256, 1, 2).map(Format.F32::round).toArray();
    HostMemory models = HostMemory.of(buffer(ElementType.F32, constants));
    Buffer average = buffer(ElementType.F32, constants);
    HostKernel kernel = new HostKernel();
    for (int i = 0; i < 10 / (1 - decay); i++) {
      kernel.average(
          new HostMemory[] {HostMemory.of(average)},
          ElementType.F32,
          models,
          ElementType.F32,
          flat(constants.length),
          Blend.of(AveragingRule.WEIGHTED_SUM, decay));
    }
    double[] drifted = read(ElementType.F32, average);
    double least = 1;
    for (int i = 0; i < drifted.length; i++) {
      assertThat(drifted[i] / constants[i]).isBetween(gain - 1e-5, 1.0);
      least = Math.min(least, drifted[i] / constants[i]);
    }
    assertThat(least).isCloseTo(gain, within(0.02 * (1 - gain)));
  }

  @Test
  void aStalledHalfAverageIsWhyTheShadowOfOneIsFloat() {
    double[] stalled = {0};
    double[] moving = {0};
    double[] model = {1};
    for (int i = 0; i < 1_000; i++) {
      stalled =
          averaged(ElementType.BF16, stalled, ElementType.BF16, model, .999, AveragingRule.LERP);
      moving = averaged(ElementType.F32, moving, ElementType.BF16, model, .999, AveragingRule.LERP);
    }
    assertThat(moving[0]).isCloseTo(1 - Math.pow(.999, 1_000), within(1e-5));
    assertThat(stalled[0]).isLessThan(.3);
  }

  private static void assertExact(
      ElementType averageType,
      ElementType modelType,
      AveragingRule rule,
      Format arithmetic,
      long seed) {
    Random random = new Random(seed);
    for (double decay : DECAYS) {
      double[] averages = values(averageType, 3_000, random);
      double[] models = values(modelType, 3_000, random);
      assertSame(
          averaged(averageType, averages, modelType, models, decay, rule),
          expected(rule, arithmetic, averages, models, decay),
          "seed %d, decay %s".formatted(seed, decay));
    }
  }

  private static double[] expected(
      AveragingRule rule, Format format, double[] averages, double[] models, double decay) {
    double[] expected = new double[averages.length];
    for (int i = 0; i < expected.length; i++) {
      expected[i] =
          switch (rule) {
            case LERP -> lerp(format, averages[i], models[i], decay);
            case WEIGHTED_SUM -> weightedSum(format, averages[i], models[i], decay);
          };
    }
    return expected;
  }

  private static Stream<Arguments> pairs(ElementType[] averages, ElementType[] models) {
    return Arrays.stream(averages)
        .flatMap(
            average ->
                Arrays.stream(models)
                    .flatMap(
                        model ->
                            Arrays.stream(AveragingRule.values())
                                .map(rule -> Arguments.of(average, model, rule))));
  }
}
