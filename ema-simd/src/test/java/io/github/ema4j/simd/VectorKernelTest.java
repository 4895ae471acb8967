package io.github.ema4j.simd;

import static io.github.ema4j.ElementType.BF16;
import static io.github.ema4j.ElementType.F16;
import static io.github.ema4j.ElementType.F32;
import static io.github.ema4j.ElementType.F64;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ElementType;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Compares every element with the formula, at every awkward size and start. */
class VectorKernelTest {
  private static final long SEED = 20_240_521;
  private static final int MARGIN = 5;
  private static final List<Double> WEIGHTS = List.of(0.0, 1e-4, 0.3, 0.5, 0.9, 1.0);

  private final VectorKernel kernel = new VectorKernel();

  static Stream<Arguments> pairs() {
    return Stream.of(
            Arguments.of(F32, F32),
            Arguments.of(F64, F64),
            Arguments.of(F32, BF16),
            Arguments.of(F32, F16))
        .flatMap(
            pair ->
                Stream.of(true, false)
                    .map(direct -> Arguments.of(pair.get()[0], pair.get()[1], direct)));
  }

  @ParameterizedTest(name = "{0} from {1}, direct {2}")
  @MethodSource("pairs")
  @DisplayName("Lerp has the bits of the formula, and writes nothing else")
  void lerp(ElementType averageType, ElementType modelType, boolean direct) {
    sizes()
        .forEach(
            size -> {
              double weight = WEIGHTS.get(size % WEIGHTS.size());
              boolean flush = size % 4 == 1;
              Fixture fixture = new Fixture(averageType, modelType, size, direct);
              kernel.lerp(
                  averageType,
                  kernel.view(fixture.averages),
                  fixture.averageIndex,
                  modelType,
                  kernel.view(fixture.models),
                  fixture.modelIndex,
                  size,
                  weight,
                  flush);
              fixture.check(flushed((e, m) -> lerp(averageType, e, m, weight), averageType, flush));
            });
  }

  @ParameterizedTest(name = "{0} from {1}, direct {2}")
  @MethodSource("pairs")
  @DisplayName("The weighted sum has the bits of the formula, and writes nothing else")
  void weightedSum(ElementType averageType, ElementType modelType, boolean direct) {
    sizes()
        .forEach(
            size -> {
              double weight = WEIGHTS.get(size % WEIGHTS.size());
              boolean flush = size % 4 == 1;
              double decay = 1 - weight;
              Fixture fixture = new Fixture(averageType, modelType, size, direct);
              kernel.weightedSum(
                  averageType,
                  kernel.view(fixture.averages),
                  fixture.averageIndex,
                  modelType,
                  kernel.view(fixture.models),
                  fixture.modelIndex,
                  size,
                  decay,
                  weight,
                  flush);
              Formula sum =
                  (e, m) ->
                      averageType == F64
                          ? e * decay + m * weight
                          : (float) e * (float) decay + (float) m * (float) weight;
              fixture.check(flushed(sum, averageType, flush));
            });
  }

  @ParameterizedTest(name = "{0} from {1}, direct {2}")
  @MethodSource("pairs")
  @DisplayName("One element that is not finite is found wherever it is")
  void nonFinite(ElementType averageType, ElementType modelType, boolean direct) {
    for (int size : new int[] {1, 7, 16, 33, 100}) {
      for (int at = 0; at < size; at++) {
        Fixture fixture = new Fixture(averageType, modelType, size, direct);
        fixture.fillModels(-1.5);
        assertThat(finite(modelType, fixture, size)).as("%s of 1.5", size).isTrue();
        for (double odd :
            new double[] {Double.NaN, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY}) {
          fixture.fillModels(greatest(modelType));
          put(modelType, fixture.models, fixture.modelIndex + at, odd);
          assertThat(finite(modelType, fixture, size))
              .as("%s at %s of %s", odd, at, size)
              .isFalse();
        }
      }
    }
  }

  private boolean finite(ElementType type, Fixture fixture, int size) {
    return kernel.isFinite(type, kernel.view(fixture.models), fixture.modelIndex, size);
  }

  @Test
  void everyHalfIsRead() {
    ShortBuffer models = ShortBuffer.allocate(1 << 16);
    IntStream.range(0, 1 << 16).forEach(i -> models.put(i, (short) i));
    FloatBuffer averages = FloatBuffer.allocate(1 << 16);
    for (ElementType type : List.of(BF16, F16)) {
      IntStream.range(0, 1 << 16).forEach(i -> averages.put(i, -0f)); // changes no sum
      kernel.weightedSum(
          F32, kernel.view(averages), 0, type, kernel.view(models), 0, 1 << 16, 0, 1, false);
      for (int i = 0; i < 1 << 16; i++) {
        assertSame(averages.get(i), get(type, models, i), type + " " + i);
      }
    }
  }

  @Test
  void otherTypesAreLeftToCore() {
    for (ElementType average : ElementType.values()) {
      for (ElementType model : ElementType.values()) {
        boolean wanted =
            pairs().anyMatch(pair -> pair.get()[0] == average && pair.get()[1] == model);
        assertThat(kernel.takes(average, model)).as("%s from %s", average, model).isEqualTo(wanted);
      }
    }
  }

  private static IntStream sizes() {
    return IntStream.concat(
        IntStream.rangeClosed(0, 140), IntStream.of(1023, 1024, 1025, 4096, 4099, 70_001));
  }

  private static double lerp(ElementType type, double e, double m, double weight) {
    if (type == F64) {
      return weight < 0.5 ? Math.fma(weight, m - e, e) : Math.fma(-(m - e), 1 - weight, m);
    }
    float w = (float) weight;
    float difference = (float) m - (float) e;
    return w < 0.5f ? Math.fma(w, difference, (float) e) : Math.fma(-difference, 1 - w, (float) m);
  }

  private static Formula flushed(Formula formula, ElementType type, boolean flush) {
    double least = type == F64 ? Double.MIN_NORMAL : Float.MIN_NORMAL;
    return (e, m) -> {
      double averaged = formula.apply(e, m);
      return flush && Math.abs(averaged) < least ? Math.copySign(0, averaged) : averaged;
    };
  }

  private interface Formula {
    double apply(double e, double m);
  }

  /** Buffers with a margin at both ends, at starts that differ and are not aligned. */
  private static final class Fixture {
    final ElementType averageType;
    final ElementType modelType;
    final int size;
    final int averageIndex;
    final int modelIndex;
    final Buffer averages;
    final Buffer models;
    private final double[] before;

    Fixture(ElementType averageType, ElementType modelType, int size, boolean direct) {
      this.averageType = averageType;
      this.modelType = modelType;
      this.size = size;
      averageIndex = size % MARGIN;
      modelIndex = (size + 2) % MARGIN;
      averages = buffer(averageType, size + MARGIN, direct);
      models = buffer(modelType, size + MARGIN, direct);
      Random random = new Random(SEED + size);
      for (int i = 0; i < size + MARGIN; i++) {
        put(averageType, averages, i, value(averageType, random));
        put(modelType, models, i, value(averageType, random));
      }
      before = IntStream.range(0, size + MARGIN).mapToDouble(this::average).toArray();
    }

    double average(int index) {
      return get(averageType, averages, index);
    }

    void fillModels(double value) {
      for (int i = 0; i < models.capacity(); i++) {
        put(modelType, models, i, value);
      }
    }

    void check(Formula formula) {
      for (int i = 0; i < before.length; i++) {
        int element = i - averageIndex;
        boolean written = element >= 0 && element < size;
        double expected =
            written
                ? formula.apply(before[i], get(modelType, models, modelIndex + element))
                : before[i];
        assertSame(average(i), expected, "seed " + SEED + ", size " + size + ", at " + element);
      }
    }
  }

  private static double value(ElementType averageType, Random random) {
    return switch (random.nextInt(9)) {
      case 0 -> 0.0;
      case 1 -> -0.0;
      case 2 -> Float.intBitsToFloat(random.nextInt());
      case 3 -> Double.longBitsToDouble(random.nextLong());
      case 4 -> random.nextGaussian() * (averageType == F64 ? Double.MIN_NORMAL : Float.MIN_NORMAL);
      default -> random.nextGaussian();
    };
  }

  private static double greatest(ElementType type) {
    return switch (type) {
      case F16 -> 65_504;
      case F64 -> Double.MAX_VALUE;
      default -> Float.intBitsToFloat(0x7f7f_0000);
    };
  }

  private static void assertSame(double actual, double expected, String context) {
    assertThat(Double.doubleToLongBits(actual))
        .as("%s: %s should be %s", context, actual, expected)
        .isEqualTo(Double.doubleToLongBits(expected));
  }

  private static Buffer buffer(ElementType type, int size, boolean direct) {
    ByteBuffer bytes =
        direct
            ? ByteBuffer.allocateDirect(size * type.bytes()).order(ByteOrder.nativeOrder())
            : ByteBuffer.allocate(0);
    return switch (type) {
      case F64 -> direct ? bytes.asDoubleBuffer() : DoubleBuffer.allocate(size);
      case F32 -> direct ? bytes.asFloatBuffer() : FloatBuffer.allocate(size);
      default -> direct ? bytes.asShortBuffer() : ShortBuffer.allocate(size);
    };
  }

  private static double get(ElementType type, Buffer buffer, int index) {
    return switch (type) {
      case F64 -> ((DoubleBuffer) buffer).get(index);
      case F32 -> ((FloatBuffer) buffer).get(index);
      case BF16 -> Float.intBitsToFloat(((ShortBuffer) buffer).get(index) << 16);
      default -> Float.float16ToFloat(((ShortBuffer) buffer).get(index));
    };
  }

  private static void put(ElementType type, Buffer buffer, int index, double value) {
    switch (type) {
      case F64 -> ((DoubleBuffer) buffer).put(index, value);
      case F32 -> ((FloatBuffer) buffer).put(index, (float) value);
      case BF16 ->
          ((ShortBuffer) buffer)
              .put(index, (short) (Float.floatToRawIntBits((float) value) >>> 16));
      default -> ((ShortBuffer) buffer).put(index, Float.floatToFloat16((float) value));
    }
  }
}
