package io.github.ema4j.internal;

import static io.github.ema4j.internal.KernelFixture.assertSame;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Holds the oracle itself against other exact arithmetic. */
class FormatTest {

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3})
  void roundsAsTheLibraryDoes(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 2_000; i++) {
      double value = Double.longBitsToDouble(random.nextLong());
      float near = Float.intBitsToFloat(random.nextInt());
      assertSame(Format.F64.round(value), value);
      assertSame((float) Format.F32.round(value), (float) value);
      assertSame((float) Format.F32.round(near * 1.000000001), (float) (near * 1.000000001));
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {4, 5, 6})
  void multipliesAndAddsAsBigDecimalDoes(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 2_000; i++) {
      double a = random.nextGaussian();
      double b = random.nextGaussian();
      double c = random.nextGaussian() * (i % 3 == 0 ? 1e-20 : 1);
      BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
      assertSame(Format.F64.fma(a, b, c), exact.doubleValue());
      assertSame((float) Format.F32.fma(a, b, c), exact.floatValue());
    }
  }

  @Test
  void knowsSpecialValues() {
    assertSame(Format.F32.sum(-0.0, -0.0), -0.0);
    assertSame(Format.F32.sum(0.0, -0.0), 0.0);
    assertSame(Format.F32.difference(1, 1), 0.0);
    assertSame(Format.F32.product(-1, 0.0), -0.0);
    assertSame(Format.F32.product(-1e-30, 1e-30), -0.0);
    assertSame(Format.F32.fma(0, Double.POSITIVE_INFINITY, 1), Double.NaN);
    assertSame(Format.F32.fma(1e300, 1e300, Double.NEGATIVE_INFINITY), Double.NEGATIVE_INFINITY);
    assertSame(Format.F32.sum(Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY), Double.NaN);
    assertSame(Format.F32.sum(Float.MAX_VALUE, Float.MAX_VALUE), Double.POSITIVE_INFINITY);
    assertSame(Format.F16.round(65_519), 65_504);
    assertSame(Format.F16.round(65_520), Double.POSITIVE_INFINITY);
    assertSame(Format.F16.round(0x1p-25), 0.0);
    assertSame(Format.F16.round(0x1.1p-25), 0x1p-24);
    assertSame(Format.BF16.round(1 + 0x1p-8), 1);
    assertSame(Format.BF16.round(1 + 0x3p-8), 1 + 0x1p-6);
  }
}
