package io.github.ema4j.internal;

import static io.github.ema4j.internal.KernelFixture.averaged;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Integers under AVERAGE: averaged in float32 and truncated, as timm's ModelEma and V2 do it. */
class KernelIntegersTest {

  @ParameterizedTest(name = "{0}: {1} and {2} at decay {3} give {4}")
  @CsvSource({
    "I64, 0, 1, 0.9999, 0",
    "I64, 0, 100000, 0.9999, 10",
    "I64, 10, 20, 0.5, 15",
    "I64, 10, 21, 0.5, 15",
    "I64, -10, -21, 0.5, -15",
    "I32, 1000, 2000, 0.25, 1750",
    "I16, -300, 300, 0.75, -150",
    "I8, -100, 100, 0.5, 0",
    "U8, 200, 100, 0.5, 150",
    "U8, 255, 255, 0.5, 255",
    "BOOL, 0, 0, 0.9, 0",
    "BOOL, 0, 1, 0.9, 1",
    "BOOL, 1, 0, 0.9, 1",
    "BOOL, 1, 0, 0, 0",
    "BOOL, 0, 1, 1, 0",
  })
  void isTheTruncatedWeightedSum(
      ElementType type, double average, double model, double decay, double expected) {
    for (AveragingRule rule : AveragingRule.values()) {
      assertThat(average(type, average, model, decay, rule)).as("%s", rule).isEqualTo(expected);
    }
  }

  @ParameterizedTest(name = "{0}, seed 43")
  @EnumSource(names = {"I64", "I32", "I16", "I8", "U8"})
  void roundsScalarsProductsAndSumToFloat(ElementType type) {
    Random random = new Random(43);
    long bound = type == ElementType.U8 ? 256 : 1L << Math.min(45, type.bytes() * 8 - 2);
    for (int i = 0; i < 2_000; i++) {
      double e = draw(random, bound, type);
      double m = draw(random, bound, type);
      double decay = random.nextDouble();
      double sum =
          KernelFixture.weightedSum(Format.F32, Format.F32.round(e), Format.F32.round(m), decay);
      assertThat(average(type, e, m, decay, AveragingRule.LERP))
          .as("seed 43: e %s, m %s, decay %s", e, m, decay)
          .isEqualTo((double) (long) sum);
    }
  }

  @Test
  void aCounterBeyondFloatsPrecisionIsRounded() {
    double counter = (1L << 24) + 1;
    assertThat(average(ElementType.I64, counter, counter, 0.5, AveragingRule.WEIGHTED_SUM))
        .isEqualTo(1L << 24);
  }

  @Test
  void anyNonZeroByteIsTrue() {
    assertThat(average(ElementType.BOOL, 2, 7, 0.5, AveragingRule.LERP)).isEqualTo(1);
  }

  private static double average(
      ElementType type, double average, double model, double decay, AveragingRule rule) {
    return averaged(type, new double[] {average}, type, new double[] {model}, decay, rule)[0];
  }

  private static double draw(Random random, long bound, ElementType type) {
    long drawn = Math.floorMod(random.nextLong(), bound);
    return (double) (type == ElementType.U8 || random.nextBoolean() ? drawn : -drawn);
  }
}
