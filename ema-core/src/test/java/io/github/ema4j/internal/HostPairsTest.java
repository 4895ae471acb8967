package io.github.ema4j.internal;

import static io.github.ema4j.ElementType.F32;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A model that is large enough for several threads: whatever their number, the same bits. */
class HostPairsTest {
  private static final int LARGE = 1 << 20;
  private static final int[] LENGTHS = {LARGE, 7, 0, LARGE + 13, 1};
  private static final int ROWS = 1 << 9;
  private static final double[] DECAYS = {0.9};

  private final List<float[]> models = values(1);
  private final List<float[]> averages = values(2);

  @AfterEach
  void clear() {
    System.clearProperty(Workers.PROPERTY);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5})
  void theNumberOfThreadsChangesNoBit(int threads) {
    float[][] expected = new float[averages.size()][];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = averages.get(i).clone();
      for (int j = 0; j < expected[i].length; j++) {
        float e = expected[i][j];
        expected[i][j] = Math.fma((float) (1 - DECAYS[0]), models.get(i)[j] - e, e);
      }
    }

    pairs(threads).open().average(Blend.of(AveragingRule.LERP, DECAYS));
    for (int i = 0; i < expected.length; i++) {
      assertThat(Arrays.equals(averages.get(i), expected[i])).as("average %s", i).isTrue();
    }

    pairs(threads).copy();
    for (int i = 0; i < expected.length; i++) {
      assertThat(Arrays.equals(averages.get(i), models.get(i))).as("copy %s", i).isTrue();
    }
  }

  @Test
  void theFirstOfSeveralNonFiniteEntriesIsNamedWhicheverThreadFindsIt() {
    TensorPairs<ArrayTensor, ArrayTensor> pairs = pairs(3);
    assertThat(pairs.open().nonFiniteEntry(true)).isEmpty();
    models.get(5)[ROWS] = Float.NaN;
    assertThat(pairs.open().nonFiniteEntry(true)).contains("5");
    models.get(3)[LARGE] = Float.POSITIVE_INFINITY;
    assertThat(pairs.open().nonFiniteEntry(true)).contains("3");
    models.get(0)[LARGE - 1] = Float.NaN;
    assertThat(pairs.open().nonFiniteEntry(true)).contains("0");
  }

  private TensorPairs<ArrayTensor, ArrayTensor> pairs(int threads) {
    System.setProperty(Workers.PROPERTY, Integer.toString(threads));
    List<Entry<ArrayTensor>> left = new ArrayList<>();
    List<Entry<ArrayTensor>> right = new ArrayList<>();
    for (int i = 0; i < LENGTHS.length; i++) {
      left.add(entry(i, ArrayTensor.of(averages.get(i), LENGTHS[i])));
      right.add(entry(i, ArrayTensor.of(models.get(i), LENGTHS[i])));
    }
    left.add(entry(LENGTHS.length, columns(averages.get(LENGTHS.length))));
    right.add(entry(LENGTHS.length, columns(models.get(LENGTHS.length))));
    return TensorPairs.of(
        tensors("average", left),
        tensors("model", right),
        Collections.nCopies(left.size(), Treatment.AVERAGE));
  }

  /** Every second column of a matrix: loops that no thread takes a part of. */
  private static ArrayTensor columns(float[] array) {
    return ArrayTensor.view(F32, array, 0, new long[] {ROWS, ROWS}, new long[] {2 * ROWS, 2});
  }

  private static Tensors<ArrayTensor> tensors(String owner, List<Entry<ArrayTensor>> entries) {
    return new Tensors<>(owner, ArrayBackend.instance(), entries);
  }

  private static Entry<ArrayTensor> entry(int name, ArrayTensor tensor) {
    return new Entry<>(Integer.toString(name), tensor, tensor.spec(), Role.PARAMETER);
  }

  private static List<float[]> values(long seed) {
    Random random = new Random(seed);
    List<float[]> values = new ArrayList<>();
    for (int length : LENGTHS) {
      values.add(values(length, random));
    }
    float[] matrix = values(2 * ROWS * ROWS, random);
    for (int i = 1; i < matrix.length; i += 2) {
      matrix[i] = 0; // the columns between, which stay as they are
    }
    values.add(matrix);
    return values;
  }

  private static float[] values(int length, Random random) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = random.nextFloat();
    }
    return values;
  }
}
