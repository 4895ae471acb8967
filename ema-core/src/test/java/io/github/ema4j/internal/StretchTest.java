package io.github.ema4j.internal;

import static io.github.ema4j.ElementType.F32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Tensors that follow one another in memory: one run where both sides allow, and only there. */
class StretchTest {
  private static final Blend HALF = Blend.of(AveragingRule.LERP, 0.5);

  private final float[] averages = {0, 0, 0, 0, 0, 0, 0, 0, 0};
  private final float[] models = {2, 4, 6, 8, 10, 12, 14, 16, 18};

  @Test
  void tensorsOfOneVectorAreOneRun() {
    Tensors<ArrayTensor> left = views(averages, 1, 2, 3, 3);
    Tensors<ArrayTensor> right = views(models, 0, 2, 3, 3);

    assertThat(runs(left, right)).containsExactly(3);
    TensorPairs.of(left, right, averaging(3)).open().average(HALF);
    assertThat(averages).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
  }

  @Test
  void aGapOnEitherSideEndsTheRun() {
    Tensors<ArrayTensor> gapped =
        tensors(views(averages, 0, 2, 2).entries(), views(averages, 5, 2));

    assertThat(runs(gapped, views(models, 0, 2, 2, 2))).containsExactly(2, 1);
    assertThat(runs(views(models, 0, 2, 2, 2), gapped)).containsExactly(2, 1);
  }

  @Test
  void tensorsInAnotherOrderThanInMemoryAreNotJoined() {
    List<Entry<ArrayTensor>> swapped = new ArrayList<>(views(averages, 0, 2, 2).entries());
    Collections.reverse(swapped);

    assertThat(runs(tensors(swapped), views(models, 0, 2, 2))).containsExactly(1, 1);
  }

  @Test
  void whatIsTreatedOtherwiseEndsTheRun() {
    Tensors<ArrayTensor> left = views(averages, 0, 2, 2, 2);
    Tensors<ArrayTensor> right = views(models, 0, 2, 2, 2);
    List<Treatment> treatments = List.of(Treatment.AVERAGE, Treatment.COPY, Treatment.AVERAGE);

    TensorPairs.of(left, right, treatments).open().average(HALF);
    assertThat(averages).startsWith(1, 2, 6, 8, 5, 6, 0);
  }

  @Test
  void layoutsThatDifferAreNotJoined() {
    ArrayTensor rows = ArrayTensor.view(F32, averages, 0, new long[] {2, 2}, new long[] {2, 1});
    ArrayTensor columns = ArrayTensor.view(F32, models, 0, new long[] {2, 2}, new long[] {1, 2});
    Tensors<ArrayTensor> left = tensors(List.of(entry("a", rows)), views(averages, 4, 2));
    Tensors<ArrayTensor> right = tensors(List.of(entry("a", columns)), views(models, 4, 2));

    assertThat(runs(left, right)).containsExactly(1, 1);
    TensorPairs.of(left, right, averaging(2)).open().average(HALF);
    assertThat(averages).startsWith(1, 3, 2, 4, 5, 6, 0);
  }

  @Test
  void memoryThatEndsWithItsTensorIsOpenedTensorByTensor() {
    TensorBackend<ArrayTensor> narrow = new NarrowBackend();
    Tensors<ArrayTensor> left = views(averages, 0, 2, 2);
    Tensors<ArrayTensor> right = new Tensors<>("model", narrow, views(models, 0, 2, 2).entries());

    assertThat(runs(left, right)).containsExactly(1, 1);
    assertThat(runs(right, left)).containsExactly(1, 1);
    TensorPairs.of(left, right, averaging(2)).open().average(HALF);
    assertThat(averages).startsWith(1, 2, 3, 4, 0);
  }

  @Test
  void tensorsThatMovedApartAreOpenedTensorByTensor() {
    MovingBackend moving = new MovingBackend();
    Tensors<ArrayTensor> left = views(averages, 0, 2, 2);
    Tensors<ArrayTensor> right = new Tensors<>("model", moving, views(models, 0, 2, 2).entries());
    TensorPairs<ArrayTensor, ArrayTensor> pairs = TensorPairs.of(left, right, averaging(2));

    moving.last = new float[] {20, 40};
    pairs.open().average(HALF);
    assertThat(averages).startsWith(1, 2, 10, 20, 0);
  }

  @Test
  void aModelsTensorThatMovesBetweenTwoUpdatesIsFollowed() {
    MovingBackend moving = new MovingBackend();
    Tensors<ArrayTensor> right = new Tensors<>("model", moving, views(models, 0, 2, 2).entries());
    TensorPairs<ArrayTensor, ArrayTensor> pairs =
        TensorPairs.of(views(averages, 0, 2, 2), right, averaging(2));

    pairs.open().average(HALF);
    moving.last = new float[] {20, 40};
    pairs.open().average(HALF);
    assertThat(averages).startsWith(1.5f, 3, 11.5f, 22, 0);
    moving.last = new float[] {};
    pairs.open().average(HALF);
    assertThat(averages).startsWith(1.75f, 3.5f, 8.75f, 15, 0);
  }

  @Test
  void anAveragesTensorThatMovesBetweenTwoUpdatesIsFollowed() {
    MovingBackend moving = new MovingBackend();
    Tensors<ArrayTensor> left =
        new Tensors<>("average", moving, views(averages, 0, 2, 2).entries());
    TensorPairs<ArrayTensor, ArrayTensor> pairs =
        TensorPairs.of(left, views(models, 0, 2, 2), averaging(2));

    pairs.open().average(HALF);
    moving.last = new float[] {0, 100};
    pairs.open().average(HALF);
    assertThat(averages).startsWith(1.5f, 3, 3, 4, 0);
    assertThat(moving.last).containsExactly(3, 54);
  }

  @Test
  void tensorsThatHaveNotMovedAreNotLookedUpAgain() {
    MovingBackend moving = new MovingBackend();
    Tensors<ArrayTensor> right = new Tensors<>("model", moving, views(models, 0, 2, 2).entries());
    TensorPairs<ArrayTensor, ArrayTensor> pairs =
        TensorPairs.of(views(averages, 0, 2, 2), right, averaging(2));

    pairs.open();
    int before = moving.lookups;
    pairs.open();
    assertThat(moving.lookups).isEqualTo(before);
  }

  @Test
  void aNonFiniteElementIsFoundInItsOwnEntry() {
    models[3] = Float.NaN;
    TensorPairs<ArrayTensor, ArrayTensor> pairs =
        TensorPairs.of(views(averages, 0, 2, 2, 2), views(models, 0, 2, 2, 2), averaging(3));

    assertThat(pairs.open().nonFiniteEntry(true)).contains("1");
    models[3] = 0;
    assertThat(pairs.open().nonFiniteEntry(true)).isEmpty();
  }

  @Test
  void theFingerprintIsThatOfTheTensorsOneByOne() {
    Tensors<ArrayTensor> left = views(averages, 0, 2, 4, 2);
    Tensors<ArrayTensor> right = views(models, 0, 2, 4, 2);
    Tensors<ArrayTensor> apart = new Tensors<>("model", new NarrowBackend(), right.entries());

    long joined = TensorPairs.of(left, right, averaging(3)).open().fingerprint();
    assertThat(TensorPairs.of(left, apart, averaging(3)).open().fingerprint()).isEqualTo(joined);
    models[5] += 1;
    assertThat(TensorPairs.of(left, right, averaging(3)).open().fingerprint()).isNotEqualTo(joined);
  }

  @Test
  void aReleasedTensorInTheMiddleIsFoundBeforeAnythingIsWritten() {
    Tensors<ArrayTensor> right = views(models, 0, 2, 2, 2);
    TensorPairs<ArrayTensor, ArrayTensor> pairs =
        TensorPairs.of(views(averages, 0, 2, 2, 2), right, averaging(3));

    ArrayBackend.instance().release(List.of(right.entries().get(1).tensor()));
    assertThatIllegalStateException().isThrownBy(pairs::copy).withMessageStartingWith("'1' of the");
    assertThat(averages).containsOnly(0);
  }

  /** Opens a tensor's own elements and no more. */
  private static class NarrowBackend extends ForwardingBackend {
    @Override
    public HostMemory memory(ArrayTensor tensor) {
      int end = tensor.offset() + (int) tensor.spec().extent();
      return HostMemory.of(
          FloatBuffer.wrap((float[]) tensor.array()).limit(end).position(tensor.offset()));
    }
  }

  /** Gives the tensor at offset 2 another array once it has one. */
  private static final class MovingBackend extends ForwardingBackend {
    private float[] last = {};
    private int lookups;

    private ArrayTensor now(ArrayTensor tensor) {
      return last.length == 0 || tensor.offset() != 2 ? tensor : ArrayTensor.of(last, last.length);
    }

    @Override
    public Storage storage(ArrayTensor tensor) {
      lookups++;
      return super.storage(now(tensor));
    }

    @Override
    public boolean isAt(ArrayTensor tensor, Storage before) {
      return super.storage(now(tensor)).equals(before);
    }

    @Override
    public HostMemory memory(ArrayTensor tensor) {
      return super.memory(now(tensor));
    }
  }

  /** Returns how many pairs each run covers. */
  private static List<Integer> runs(Tensors<ArrayTensor> left, Tensors<ArrayTensor> right) {
    List<TensorPair<ArrayTensor, ArrayTensor>> pairs = new ArrayList<>();
    for (int i = 0; i < left.entries().size(); i++) {
      pairs.add(
          TensorPair.of(List.of(left.entries().get(i)), right.entries().get(i), Treatment.AVERAGE));
    }
    List<Stretch.Open<ArrayTensor, ArrayTensor>> opened = new ArrayList<>();
    Stretch.of(List.of(left), right, pairs).forEach(stretch -> stretch.open(opened));
    return opened.stream().map(open -> open.pairs.size()).toList();
  }

  private static List<Treatment> averaging(int count) {
    return Collections.nCopies(count, Treatment.AVERAGE);
  }

  /** Returns vectors of some lengths that lie in an array one after another. */
  private static Tensors<ArrayTensor> views(float[] array, int begin, int... lengths) {
    List<Entry<ArrayTensor>> entries = new ArrayList<>();
    int offset = begin;
    for (int length : lengths) {
      ArrayTensor view = ArrayTensor.view(F32, array, offset, new long[] {length}, new long[] {1});
      entries.add(entry(Integer.toString(entries.size()), view));
      offset += length;
    }
    return tensors(entries);
  }

  private static Tensors<ArrayTensor> tensors(List<Entry<ArrayTensor>> entries) {
    return new Tensors<>("model", ArrayBackend.instance(), entries);
  }

  private static Tensors<ArrayTensor> tensors(
      List<Entry<ArrayTensor>> entries, Tensors<ArrayTensor> more) {
    return tensors(Stream.concat(entries.stream(), more.entries().stream()).toList());
  }

  private static Entry<ArrayTensor> entry(String name, ArrayTensor tensor) {
    return new Entry<>(name, tensor, tensor.spec(), Role.PARAMETER);
  }
}
