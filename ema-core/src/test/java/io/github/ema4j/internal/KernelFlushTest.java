package io.github.ema4j.internal;

import static io.github.ema4j.internal.KernelFixture.assertSame;
import static io.github.ema4j.internal.KernelFixture.buffer;
import static io.github.ema4j.internal.KernelFixture.flat;
import static io.github.ema4j.internal.KernelFixture.read;
import static io.github.ema4j.internal.KernelFixture.values;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Subnormal results become zeros of the same sign where that is asked for, and nothing else. */
class KernelFlushTest {
  private static final long SEED = 271;
  private static final int SIZE = 3_000;

  static Stream<Arguments> types() {
    return Stream.of(ElementType.F32, ElementType.F64)
        .flatMap(
            type ->
                Arrays.stream(AveragingRule.values())
                    .flatMap(
                        rule ->
                            Stream.of(0.0, 0.3, 0.9, 0.9999, 1.0)
                                .map(decay -> Arguments.of(type, rule, decay))));
  }

  @ParameterizedTest(name = "{0}, {1}, decay {2}")
  @MethodSource("types")
  void subnormalResultsBecomeZeros(ElementType type, AveragingRule rule, double decay) {
    Random random = new Random(SEED);
    double least = type == ElementType.F64 ? Double.MIN_NORMAL : Float.MIN_NORMAL;
    double[] averages = small(type, least, random);
    double[] models = small(type, least, random);

    double[] expected = averaged(type, averages, models, Blend.of(rule, decay));
    int flushed = 0;
    for (int i = 0; i < SIZE; i++) {
      if (Math.abs(expected[i]) < least) {
        flushed += expected[i] == 0 ? 0 : 1;
        expected[i] = Math.copySign(0, expected[i]);
      }
    }
    assertThat(flushed).as("subnormal results").isPositive();
    assertSame(
        averaged(type, averages, models, Blend.of(rule, true, decay)), expected, "seed " + SEED);
  }

  /** Returns any values, a third of them around the least normal number and below. */
  private static double[] small(ElementType type, double least, Random random) {
    double[] values = values(type, SIZE, random);
    for (int i = 0; i < SIZE; i += 3) {
      values[i] = Format.of(type).round(random.nextGaussian() * least);
    }
    return values;
  }

  private static double[] averaged(
      ElementType type, double[] averages, double[] models, Blend blend) {
    Buffer average = buffer(type, averages);
    new HostKernel()
        .average(
            new HostMemory[] {HostMemory.of(average)},
            type,
            HostMemory.of(buffer(type, models)),
            type,
            flat(SIZE),
            blend);
    return read(type, average);
  }
}
