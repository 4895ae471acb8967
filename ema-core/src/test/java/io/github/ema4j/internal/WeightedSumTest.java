package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class WeightedSumTest {
  private static final ElementType[] FLOATING = {
    ElementType.F64, ElementType.F32, ElementType.F16, ElementType.BF16
  };

  /** Beside arithmetic over unbounded integers that rounds each step. */
  @ParameterizedTest
  @EnumSource(
      mode = Mode.EXCLUDE,
      names = {"I64", "I32", "I16", "I8", "U8", "BOOL"})
  void eachStepIsInDoubleAndTheResultIsRoundedOnce(ElementType type) {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    WeightedSum sum = new WeightedSum();
    for (int size : new int[] {0, 1, 7, 1000, WeightedSum.MOST}) {
      double[] expected = new double[size];
      int terms = 1 + random.nextInt(4);
      sum.begin();
      for (int term = 0; term < terms; term++) {
        ElementType from = FLOATING[random.nextInt(FLOATING.length)];
        double weight = random.nextGaussian();
        double[] values = KernelFixture.values(from, size, random);
        sum.add(weight, from, bytes(from, values));
        for (int i = 0; i < size; i++) {
          double product = Format.F64.product(weight, values[i]);
          expected[i] = term == 0 ? product : Format.F64.sum(expected[i], product);
        }
      }
      ByteBuffer result = bytes(type, new double[size]);
      sum.round(type, result);

      for (int i = 0; i < size; i++) {
        assertThat(value(type, result, i))
            .as("seed %d: %d terms, element %d of %d", seed, terms, i, size)
            .isEqualTo(
                Double.valueOf(Format.of(type).round(expected[i]))); // by bits, all NaN alike
      }
    }
  }

  @Test
  void zeroKeepsItsSign() {
    WeightedSum sum = new WeightedSum();
    sum.begin();
    sum.add(1, ElementType.F32, bytes(ElementType.F32, -0.0));
    ByteBuffer result = bytes(ElementType.F32, 1);
    sum.round(ElementType.F32, result);

    assertThat(value(ElementType.F32, result, 0)).isEqualTo(-0.0);
  }

  private static ByteBuffer bytes(ElementType type, double... values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    Buffer typed = TypedBuffers.of(type, bytes);
    for (int i = 0; i < values.length; i++) {
      KernelFixture.put(type, typed, i, values[i]);
    }
    return bytes;
  }

  private static double value(ElementType type, ByteBuffer bytes, int index) {
    double[] values = new double[1];
    Elements.loadDoubles(HostMemory.of(TypedBuffers.of(type, bytes)), type, index, 1, values, 1);
    return values[0];
  }
}
