package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The oracle against what is known without it. */
class OracleTest {

  /** Products and sums whose rounding to double and then to float would go wrong. */
  @ParameterizedTest
  @CsvSource({
    "0x1.000002p0, 0x1.000002p0, 0x1.0p-60",
    "0x1.000002p0, 0x1.000002p0, -0x1.0p-60",
    "0x1.fffffep0, 0x1.fffffep0, 0x1.0p-100",
    "0x1.0p-75, 0x1.000002p-75, 0x1.0p-149",
    "0x1.fffffep127, 2, -0x1.fffffep127",
    "3, 0x1.555556p-2, -1"
  })
  void aProductPlusIsRoundedOnce(String a, String b, String c) {
    assertRoundedOnce(Float.parseFloat(a), Float.parseFloat(b), Float.parseFloat(c));
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3})
  void anyProductPlusIsRoundedOnce(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      assertRoundedOnce(anyFloat(random), anyFloat(random), anyFloat(random));
      float a = random.nextFloat();
      float b = random.nextFloat();
      assertRoundedOnce(a, b, -a * b); // what the product lost
      assertRoundedOnce(a, b, Math.scalb(a * b, 24)); // near half a unit in the last place
    }
  }

  private static void assertRoundedOnce(float a, float b, float c) {
    float exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c)).floatValue();
    float oracle = Oracle.productPlus(a, b, c);

    assertThat(oracle).as("%s * %s + %s", a, b, c).isEqualTo(exact == 0 ? oracle : exact);
    assertThat(Float.floatToIntBits(oracle))
        .as("%s * %s + %s, by Math.fma", a, b, c)
        .isEqualTo(Float.floatToIntBits(Math.fma(a, b, c)));
  }

  private static float anyFloat(Random random) {
    float value;
    do {
      value = Float.intBitsToFloat(random.nextInt());
    } while (!Float.isFinite(value));
    return value;
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {4, 5})
  void aProductPlusOfDoublesIsRoundedOnce(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 2_000; i++) {
      double a = random.nextDouble() - 0.5;
      double b = random.nextDouble();
      for (double c : new double[] {-a * b, Math.scalb(a, 52), 0.0, -0.0, b, Double.NaN}) {
        assertThat(Double.doubleToLongBits(Oracle.productPlus(a, b, c)))
            .as("%s * %s + %s", a, b, c)
            .isEqualTo(Double.doubleToLongBits(Math.fma(a, b, c)));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void halvesHaveTheBitsOfTheirValues(ElementType type) {
    for (int bits = 0; bits < 1 << 16; bits++) {
      double value = Oracle.value(type, (short) bits);
      if (!Double.isNaN(value)) {
        assertThat(Oracle.bits(type, value)).as("%x is %s", bits, value).isEqualTo((short) bits);
      }
    }
    assertThat(Oracle.value(type, Oracle.bits(type, Double.NaN))).isNaN();
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void whatLiesBetweenHalvesIsRoundedToTheNearestAndTiesToEven(ElementType type) {
    for (int bits = 0; Double.isFinite(Oracle.value(type, bits + 1)); bits++) {
      double below = Oracle.value(type, bits);
      double above = Oracle.value(type, bits + 1);
      double middle = (below + above) / 2;
      assertThat(Oracle.bits(type, middle)).isEqualTo(bits % 2 == 0 ? bits : bits + 1);
      assertThat(Oracle.bits(type, Math.nextUp(middle))).isEqualTo(bits + 1);
      assertThat(Oracle.bits(type, Math.nextDown(middle))).isEqualTo(bits);
      assertThat(Oracle.bits(type, -middle))
          .isEqualTo((short) (Oracle.bits(type, middle) | 0x8000));
    }
  }

  @Test
  void knownValuesOfFormats() {
    assertThat(Oracle.value(ElementType.F16, 0x3c00)).isEqualTo(1);
    assertThat(Oracle.value(ElementType.F16, 0x7bff)).isEqualTo(65504);
    assertThat(Oracle.value(ElementType.F16, 1)).isEqualTo(0x1p-24);
    assertThat(Oracle.value(ElementType.BF16, 0x3f80)).isEqualTo(1);
    assertThat(Oracle.value(ElementType.BF16, (short) 0xff80)).isEqualTo(Double.NEGATIVE_INFINITY);
    assertThat(Oracle.value(ElementType.U8, (byte) 0xff)).isEqualTo(255);
  }

  /** The warm-up's first step copies; at .5 the average is the mean; truncation is towards zero. */
  @Test
  void updatesThatAreKnownWithoutArithmetic() {
    assertThat(update(AveragingRule.LERP, 0, 3, -7)).isEqualTo(-7);
    assertThat(update(AveragingRule.LERP, 0.5, 3, -7)).isEqualTo(-2);
    assertThat(update(AveragingRule.WEIGHTED_SUM, 1, 3, -7)).isEqualTo(3);
    Oracle half = new Oracle(AveragingRule.WEIGHTED_SUM, 0.5);
    assertThat(half.update(ElementType.I64, -3, ElementType.I64, 0)).isEqualTo(-1);
    assertThat(half.update(ElementType.U8, (byte) 200, ElementType.U8, (byte) 250))
        .isEqualTo((byte) 225);
    assertThat(half.update(ElementType.BOOL, 1, ElementType.BOOL, 0)).isEqualTo(1);
  }

  private static double update(AveragingRule rule, double decay, float average, float model) {
    long bits =
        new Oracle(rule, decay)
            .update(
                ElementType.F32,
                Float.floatToRawIntBits(average),
                ElementType.F32,
                Float.floatToRawIntBits(model));
    return Oracle.value(ElementType.F32, bits);
  }

  /** Either formula, rounded in whatever order, stays within the bound. */
  @Test
  void theBoundHoldsForOtherWaysToRound() {
    Random random = new Random(6);
    for (int i = 0; i < 20_000; i++) {
      float e = (random.nextFloat() - 0.5f) * Math.scalb(1f, random.nextInt(40) - 20);
      float m = (random.nextFloat() - 0.5f) * Math.scalb(1f, random.nextInt(40) - 20);
      double decay = random.nextDouble();
      double exact = update(AveragingRule.LERP, decay, e, m);
      float weight = (float) (1 - decay);
      double bound = Bound.of(ElementType.F32, e, m);
      assertThat(Math.abs(e + weight * (m - e) - exact)).isLessThanOrEqualTo(bound);
      assertThat(Math.abs(e * (float) decay + m * weight - exact)).isLessThanOrEqualTo(bound);
    }
  }

  @Test
  void neighboursAreOneUlpApartAlsoAcrossZero() {
    long one = Float.floatToRawIntBits(1);
    assertThat(Bound.ulps(ElementType.F32, one, one + 1)).isEqualTo(1);
    assertThat(Bound.ulps(ElementType.F32, 1, Float.floatToRawIntBits(-Float.MIN_VALUE)))
        .isEqualTo(2);
    assertThat(Bound.ulps(ElementType.F16, (short) 0x8001, 0)).isEqualTo(1);
    assertThat(Bound.ulps(ElementType.F32, one, Float.floatToRawIntBits(Float.NaN))).isInfinite();
  }
}
