package io.github.ema4j.internal;

import static io.github.ema4j.internal.KernelFixture.buffer;
import static io.github.ema4j.internal.KernelFixture.get;
import static io.github.ema4j.internal.KernelFixture.lerp;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Wherever elements lie, on either side: each is averaged with its own, and nothing else moves. */
class KernelLayoutTest {

  /** Storage cut into buffers, each of them with some room before and after its elements. */
  private record Cut(ElementType type, List<Buffer> segments, int length, long size) {

    static Cut of(ElementType type, int length, long size, Random random) {
      List<Buffer> segments = new ArrayList<>();
      for (long begin = 0; begin < Math.max(1, size); begin += length) {
        int elements = (int) Math.min(length, size - begin);
        double[] values = random.doubles(elements + 5L).map(v -> (float) v).toArray();
        segments.add(buffer(type, values).position(2).limit(2 + elements));
      }
      return new Cut(type, segments, length, size);
    }

    HostMemory memory() {
      return HostMemory.ofSegments(segments.toArray(new Buffer[0]));
    }

    double at(long offset) {
      return get(type, segments.get((int) (offset / length)), 2 + (int) (offset % length));
    }

    double[] all() {
      return IntStream.range(0, (int) size).mapToDouble(this::at).toArray();
    }

    double rim() {
      double sum = 0;
      for (Buffer segment : segments) {
        Buffer whole = segment.duplicate().clear();
        sum += get(type, whole, 0) + get(type, whole, 1);
        sum += get(type, whole, whole.limit() - 1);
      }
      return sum;
    }
  }

  /** Averages that share a model are written stretch by stretch, the last of which is short. */
  @Test
  void severalAveragesOfALongTensorAreWrittenToTheirEnds() {
    int n = (2 << 18) + 3;
    float[] model = new float[n];
    for (int i = 0; i < n; i++) {
      model[i] = i;
    }
    float[][] averages = {new float[n], new float[n]};
    HostMemory[] lefts = {
      HostMemory.of(FloatBuffer.wrap(averages[0])), HostMemory.of(FloatBuffer.wrap(averages[1]))
    };
    ImmutableLongArray one = ImmutableLongArray.of(1);

    new HostKernel(null)
        .average(
            lefts,
            ElementType.F32,
            HostMemory.of(FloatBuffer.wrap(model)),
            ElementType.F32,
            LoopNest.over(ImmutableLongArray.of(n), one, one),
            Blend.of(AveragingRule.LERP, 0.5, 0.75));

    for (int i = 0; i < n; i++) {
      assertThat(averages[0][i]).isEqualTo(0.5f * i);
      assertThat(averages[1][i]).isEqualTo(0.25f * i);
    }
  }

  @ParameterizedTest(name = "segments of {0} and {1}")
  @CsvSource({"1, 1", "1, 7", "7, 1", "3, 5", "5, 3", "64, 1000", "1000, 64", "1024, 1023"})
  void memoryMayBeCutAnywhereOnEitherSide(int leftLength, int rightLength) {
    for (long[] shape : new long[][] {{1}, {64}, {2100}, {30, 41}, {7, 5, 11}}) {
      long seed = 59L + shape.length;
      Random random = new Random(seed);
      TensorSpec spec = TensorSpec.contiguous(ElementType.F32, shape);
      assertAveraged(spec, leftLength, spec, rightLength, random, "seed " + seed);
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {61, 62, 63, 64, 65, 66, 67, 68, 69, 70})
  void anyStridesAreFollowedAcrossSegments(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 60; i++) {
      long[] shape = random.longs(random.nextInt(5), 0, 7).toArray();
      TensorSpec left = strided(ElementType.F32, shape, random);
      TensorSpec right =
          strided(random.nextBoolean() ? ElementType.F64 : ElementType.F32, shape, random);
      assertAveraged(
          left,
          1 + random.nextInt(40),
          right,
          1 + random.nextInt(40),
          random,
          "seed %d, %s and %s".formatted(seed, left, right));
    }
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"})
  void everyTypeIsReadAndWrittenWithStrides(ElementType type) {
    int n = 1_500;
    Random random = new Random(71);
    double[] averages = random.ints(2L * n, 0, 2).asDoubleStream().toArray();
    double[] models = random.ints(3L * n, 0, 2).asDoubleStream().toArray();
    Buffer average = buffer(type, averages);
    new HostKernel()
        .average(
            new HostMemory[] {HostMemory.of(average)},
            type,
            HostMemory.of(buffer(type, models)),
            type,
            LoopNest.over(
                ImmutableLongArray.of(n), ImmutableLongArray.of(2), ImmutableLongArray.of(3)),
            Blend.of(AveragingRule.LERP, 0));
    for (int i = 0; i < n; i++) {
      assertThat(get(type, average, 2 * i)).isEqualTo(models[3 * i]);
      assertThat(get(type, average, 2 * i + 1)).isEqualTo(averages[2 * i + 1]);
    }
  }

  /** Draws an order of dimensions and gaps between them. */
  private static TensorSpec strided(ElementType type, long[] shape, Random random) {
    List<Integer> order = new ArrayList<>(IntStream.range(0, shape.length).boxed().toList());
    Collections.shuffle(order, random);
    long[] strides = new long[shape.length];
    long stride = 1L + (random.nextBoolean() ? random.nextInt(3) : 0);
    for (int dimension : order) {
      strides[dimension] = stride;
      stride = stride * Math.max(1, shape[dimension]) + (random.nextInt(3) == 0 ? 2 : 0);
    }
    return new TensorSpec(
        type, ImmutableLongArray.copyOf(shape), ImmutableLongArray.copyOf(strides), Device.CPU);
  }

  private static void assertAveraged(
      TensorSpec left,
      int leftLength,
      TensorSpec right,
      int rightLength,
      Random random,
      String context) {
    Cut averages = Cut.of(left.type(), leftLength, left.extent(), random);
    Cut models = Cut.of(right.type(), rightLength, right.extent(), random);
    double[] expected = averages.all();
    double[] modelsBefore = models.all();
    double rim = averages.rim();
    for (long[] index : indices(left.shape())) {
      int at = (int) offset(index, left);
      double model = (float) models.at(offset(index, right));
      expected[at] = lerp(Format.F32, expected[at], model, 0.75);
    }
    new HostKernel()
        .average(
            new HostMemory[] {averages.memory()},
            left.type(),
            models.memory(),
            right.type(),
            LoopNest.over(left.shape(), left.strides(), right.strides()),
            Blend.of(AveragingRule.LERP, 0.75));
    assertThat(averages.all()).as(context).isEqualTo(expected);
    assertThat(models.all()).as(context).isEqualTo(modelsBefore);
    assertThat(averages.rim()).as(context).isEqualTo(rim);
  }

  private static List<long[]> indices(ImmutableLongArray shape) {
    List<long[]> all = new ArrayList<>(List.of(new long[shape.length()]));
    for (int d = 0; d < shape.length(); d++) {
      List<long[]> next = new ArrayList<>();
      for (long[] index : all) {
        for (long i = 0; i < shape.get(d); i++) {
          long[] grown = index.clone();
          grown[d] = i;
          next.add(grown);
        }
      }
      all = next;
    }
    return all;
  }

  private static long offset(long[] index, TensorSpec spec) {
    long offset = 0;
    for (int d = 0; d < index.length; d++) {
      offset += index[d] * spec.strides().get(d);
    }
    return offset;
  }
}
