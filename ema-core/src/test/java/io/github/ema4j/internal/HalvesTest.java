package io.github.ema4j.internal;

import static io.github.ema4j.internal.KernelFixture.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.ema4j.ElementType;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class HalvesTest {

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"F16", "BF16"})
  void everyPatternMeansWhatTheStandardSaysAndComesBack(ElementType type) {
    for (int bits = 0; bits < 0x1_0000; bits++) {
      float value = Halves.toFloat(type, (short) bits);
      double meaning = meaning(type, bits);
      assertSame(value, meaning, "%04x".formatted(bits));
      short back = Halves.fromFloat(type, value);
      if (Float.isNaN(value)) {
        assertThat(meaning(type, back & 0xffff)).as("%04x", bits).isNaN();
        assertThat(back & 0x8000).as("sign of %04x", bits).isEqualTo(bits & 0x8000);
      } else {
        assertThat(back).as("%04x", bits).isEqualTo((short) bits);
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"F16", "BF16"})
  void valuesBetweenNeighboursRoundToTheNearestAndTiesToEven(ElementType type) {
    for (int bits = 0; bits < (type == ElementType.F16 ? 0x7bff : 0x7f7f); bits++) {
      double low = meaning(type, bits);
      double high = meaning(type, bits + 1);
      float tie = (float) ((low + high) / 2);
      int even = bits + (bits & 1);
      for (int sign = 0; sign <= 0x8000; sign += 0x8000) {
        float direction = sign == 0 ? 1 : -1;
        assertThat(Halves.fromFloat(type, direction * tie) & 0xffff)
            .as("tie above %04x", bits)
            .isEqualTo(even | sign);
        assertThat(Halves.fromFloat(type, direction * Math.nextDown(tie)) & 0xffff)
            .as("below the tie above %04x", bits)
            .isEqualTo(bits | sign);
        assertThat(Halves.fromFloat(type, direction * Math.nextUp(tie)) & 0xffff)
            .as("above the tie above %04x", bits)
            .isEqualTo((bits + 1) | sign);
      }
    }
  }

  @ParameterizedTest(name = "{0} {1} is {2}")
  @CsvSource({
    "F16, 65504, 7bff",
    "F16, 65519.996, 7bff",
    "F16, 65520, 7c00",
    "F16, -1e30, fc00",
    "F16, Infinity, 7c00",
    "F16, 5.9604645E-8, 0001",
    "F16, 2.9802322E-8, 0000",
    "F16, -2.9802326E-8, 8001",
    "F16, 6.1035156E-5, 0400",
    "F16, 6.1005353E-5, 0400",
    "F16, -0.0, 8000",
    "F16, 1.4E-45, 0000",
    "BF16, 3.3895314E38, 7f7f",
    "BF16, 3.3961775E38, 7f80",
    "BF16, 3.4028235E38, 7f80",
    "BF16, -Infinity, ff80",
    "BF16, 1.4E-45, 0000",
    "BF16, 9.1835E-41, 0001",
    "BF16, -0.0, 8000",
  })
  void limitsAreThoseOfTheFormat(ElementType type, float value, String bits) {
    assertThat("%04x".formatted(Halves.fromFloat(type, value))).isEqualTo(bits);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      ints = {0x7f80_0001, 0x7f80_1fff, 0x7fbf_ffff, 0x7fc0_0000, 0xff80_0001, 0xffff_ffff})
  void nansStayNansWithTheirSign(int bits) {
    float nan = Float.intBitsToFloat(bits);
    for (ElementType type : new ElementType[] {ElementType.F16, ElementType.BF16}) {
      int half = Halves.fromFloat(type, nan) & 0xffff;
      assertThat(meaning(type, half)).as("%s %04x", type, half).isNaN();
      assertThat(half >>> 15).as("sign").isEqualTo(bits >>> 31);
      assertThat(meaning(type, Halves.fromDouble(type, nan) & 0xffff)).isNaN();
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"F16", "BF16"})
  void doublesRoundOnceAtTies(ElementType type) {
    for (int bits = 0; bits < (type == ElementType.F16 ? 0x7bff : 0x7f7f); bits++) {
      double tie = (meaning(type, bits) + meaning(type, bits + 1)) / 2;
      assertThat(Halves.fromDouble(type, tie)).isEqualTo((short) (bits + (bits & 1)));
      assertThat(Halves.fromDouble(type, Math.nextDown(tie))).isEqualTo((short) bits);
      assertThat(Halves.fromDouble(type, Math.nextUp(tie))).isEqualTo((short) (bits + 1));
      assertThat(Halves.fromDouble(type, -Math.nextUp(tie)) & 0xffff)
          .isEqualTo((bits + 1) | 0x8000);
    }
  }

  @ParameterizedTest(name = "{0}, seed 73")
  @EnumSource(names = {"F16", "BF16"})
  void anyDoubleRoundsOnce(ElementType type) {
    Random random = new Random(73);
    double[] extremes = {
      0.0, -0.0, 1e-50, -1e-50, 1e50, -1e50, 1e-320, 65_519.999999, 65_520, 3.396e38, 3.4028236e38
    };
    for (int i = 0; i < 20_000; i++) {
      double value =
          i < extremes.length
              ? extremes[i]
              : i % 2 == 0 ? Double.longBitsToDouble(random.nextLong()) : random.nextGaussian();
      double rounded = meaning(type, Halves.fromDouble(type, value) & 0xffff);
      String context = "seed 73: " + value;
      assertSame(rounded, Format.of(type).round(value), context);
      assertSame(Halves.round(type, (float) value), Format.of(type).round((float) value), context);
    }
  }

  @Test
  void agreesWithTheJdkWhereItKnowsHalves() throws Throwable {
    assumeTrue(Runtime.version().feature() >= 20, "Float.float16ToFloat is there from JDK 20 on");
    MethodHandles.Lookup lookup = MethodHandles.publicLookup();
    MethodHandle widen =
        lookup.findStatic(
            Float.class, "float16ToFloat", MethodType.methodType(float.class, short.class));
    MethodHandle narrow =
        lookup.findStatic(
            Float.class, "floatToFloat16", MethodType.methodType(short.class, float.class));
    for (int bits = 0; bits < 0x1_0000; bits++) {
      float expected = (float) widen.invokeExact((short) bits);
      assertSame(Halves.toFloat(ElementType.F16, (short) bits), expected, "%04x".formatted(bits));
    }
    Random random = new Random(79);
    for (int i = 0; i < 200_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      short expected = (short) narrow.invokeExact(value);
      if (!Float.isNaN(value)) {
        assertThat(Halves.fromFloat(ElementType.F16, value)).isEqualTo(expected);
      }
    }
  }

  /** Reads sign, exponent and fraction as the formats define them. */
  private static double meaning(ElementType type, int bits) {
    int fractionBits = type == ElementType.F16 ? 10 : 7;
    int exponentMask = type == ElementType.F16 ? 0x1f : 0xff;
    int bias = exponentMask >> 1;
    int exponent = (bits >> fractionBits) & exponentMask;
    double fraction = Math.scalb((double) (bits & ((1 << fractionBits) - 1)), -fractionBits);
    double magnitude =
        exponent == exponentMask
            ? (fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
            : exponent == 0
                ? Math.scalb(fraction, 1 - bias)
                : Math.scalb(1 + fraction, exponent - bias);
    return (bits & 0x8000) == 0 ? magnitude : -magnitude;
  }
}
