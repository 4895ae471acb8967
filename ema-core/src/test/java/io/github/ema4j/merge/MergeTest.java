package io.github.ema4j.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.PthFile;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.internal.SeededTensors;
import io.github.ema4j.merge.MergePlan.Input;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MergeTest {
  @TempDir private Path folder;

  private static MergePlan plan(double[] weights, List<? extends StateDict<?>> states) {
    List<Input> inputs = new ArrayList<>();
    for (int i = 0; i < weights.length; i++) {
      inputs.add(new Input("input " + i, weights[i], states.get(i)));
    }
    return MergePlan.average(inputs);
  }

  private static StateDict<ArrayTensor> floats(float... values) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("w", ArrayTensor.of(values, values.length))
        .build();
  }

  private static float[] random(Random random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Each step in decimal digits without end, then to double; several pieces and an odd rest. */
  @Test
  void sumsAreInDoubleAndRoundedOnce() throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    int size = 3 * Pieces.PIECE_BYTES / Float.BYTES + 4321;
    List<float[]> values =
        List.of(random(random, size), random(random, size), random(random, size));
    double[] weights = MergeWeights.normalized(1, 3, 3);
    List<StateDict<ArrayTensor>> states = values.stream().map(MergeTest::floats).toList();
    Path file = folder.resolve("average.safetensors");
    AtomicLong written = new AtomicLong();

    try (StateDict<?> average =
        Merge.stateDict(plan(weights, states), states, Merge.LEAST_BYTES, written::addAndGet)) {
      TensorFile.write(file, average, Map.of());
    }

    assertThat(written).hasValue((long) size * Float.BYTES);
    float[] result = read(file);
    for (int i = 0; i < size; i += i % 101 + 1) {
      double sum = product(weights[0], values.get(0)[i]);
      for (int s = 1; s < 3; s++) {
        sum =
            new BigDecimal(sum)
                .add(new BigDecimal(product(weights[s], values.get(s)[i])))
                .doubleValue();
      }
      float expected = Float.parseFloat(new BigDecimal(sum).toString());
      assertThat(result[i]).as("seed %d, element %d", seed, i).isEqualTo(expected);
    }
  }

  private static double product(double weight, float value) {
    return new BigDecimal(weight).multiply(new BigDecimal(value)).doubleValue();
  }

  private static float[] read(Path file) throws IOException {
    try (TensorFile tensors = TensorFile.open(file)) {
      tensors.verify();
      FileTensor tensor = tensors.tensors().values().iterator().next();
      ByteBuffer bytes =
          ByteBuffer.allocate((int) tensor.spec().elements() * Float.BYTES)
              .order(ByteOrder.LITTLE_ENDIAN);
      tensor.read(0, bytes);
      float[] values = new float[(int) tensor.spec().elements()];
      bytes.flip().asFloatBuffer().get(values);
      return values;
    }
  }

  /** Every type and size: from files and from memory, into every kind of file. */
  @Test
  void theBitsAreThoseOfThePartsWhereverTheyComeFromAndGo() throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    List<StateDict<ArrayTensor>> states =
        List.of(
            SeededTensors.ofAllTypes(random),
            SeededTensors.ofAllTypes(random),
            SeededTensors.ofAllTypes(random));
    double[] weights = MergeWeights.decayed(3, 0.7);
    MergePlan plan = plan(weights, states);
    Path one = folder.resolve("one.safetensors");
    Path zip = folder.resolve("one.pth");
    Path index;
    try (StateDict<?> average = Merge.stateDict(plan, states)) {
      TensorFile.write(one, average, Map.of());
      index = TensorFile.writeShards(folder.resolve("many"), average, Map.of(), 9000);
      PthWriter.of(PthLayout.STATE_DICT).model(average).write(zip);
      SeededTensors.assertSameBits(average, parts(plan, states, random), "seed " + seed);
    }
    try (TensorFile single = TensorFile.open(one);
        TensorFile many = TensorFile.open(index);
        PthFile pth = PthFile.open(zip)) {
      StateDict<ArrayTensor> expected = parts(plan, states, random);
      SeededTensors.assertSameBits(single.stateDict(), expected, "seed " + seed);
      SeededTensors.assertSameBits(many.stateDict(), expected, "seed " + seed);
      SeededTensors.assertSameBits(pth.stateDict(""), expected, "seed " + seed);

      List<StateDict<FileTensor>> files =
          List.of(single.stateDict(), many.stateDict(), pth.stateDict(""));
      Path again = folder.resolve("again.safetensors");
      try (StateDict<?> average = Merge.stateDict(plan(new double[] {1, 0, 0}, files), files)) {
        TensorFile.write(again, average, Map.of());
      }
      assertThat(again).hasSameBinaryContentAs(one);
    }
  }

  /** Computes the average by random parts of each tensor. */
  private static StateDict<ArrayTensor> parts(
      MergePlan plan, List<StateDict<ArrayTensor>> states, Random random) throws IOException {
    StateDict.Builder<ArrayTensor> result = StateDict.builder(ArrayBackend.instance());
    BlockMerger merger = new BlockMerger();
    for (MergePlan.Entry entry : plan.entries()) {
      List<BlockMerger.Source> sources = new ArrayList<>();
      for (MergePlan.Term term : entry.terms()) {
        ByteBuffer all = bytes(states.get(term.input()), term.tensor());
        sources.add(
            (first, into) -> {
              int n = into.remaining();
              into.put(all.slice((int) first * term.type().bytes(), n));
            });
      }
      int size = entry.spec().type().bytes();
      ByteBuffer out = ByteBuffer.allocate((int) entry.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < entry.spec().elements(); ) {
        int n = 1 + random.nextInt((int) entry.spec().elements() - at);
        merger.merge(entry, sources, at, out.limit((at + n) * size));
        at += n;
      }
      ArrayTensor tensor = ArrayBackend.instance().allocate(List.of(entry.spec())).get(0);
      put(out.flip(), tensor);
      result.add(entry.name(), tensor, entry.role());
    }
    return result.build();
  }

  private static ByteBuffer bytes(StateDict<ArrayTensor> state, String name) {
    ArrayTensor tensor =
        state.entries().stream()
            .filter(entry -> entry.name().equals(name))
            .map(Entry::tensor)
            .findFirst()
            .orElseThrow();
    ByteBuffer bytes =
        ByteBuffer.allocate((int) tensor.spec().elements() * tensor.spec().type().bytes())
            .order(ByteOrder.LITTLE_ENDIAN);
    if (tensor.array() instanceof double[] values) {
      bytes.asDoubleBuffer().put(values);
    } else if (tensor.array() instanceof float[] values) {
      bytes.asFloatBuffer().put(values);
    } else if (tensor.array() instanceof long[] values) {
      bytes.asLongBuffer().put(values);
    } else if (tensor.array() instanceof int[] values) {
      bytes.asIntBuffer().put(values);
    } else if (tensor.array() instanceof short[] values) {
      bytes.asShortBuffer().put(values);
    } else {
      bytes.put((byte[]) tensor.array()).flip();
    }
    return bytes;
  }

  private static void put(ByteBuffer bytes, ArrayTensor tensor) {
    if (tensor.array() instanceof double[] values) {
      bytes.asDoubleBuffer().get(values);
    } else if (tensor.array() instanceof float[] values) {
      bytes.asFloatBuffer().get(values);
    } else if (tensor.array() instanceof long[] values) {
      bytes.asLongBuffer().get(values);
    } else if (tensor.array() instanceof int[] values) {
      bytes.asIntBuffer().get(values);
    } else if (tensor.array() instanceof short[] values) {
      bytes.asShortBuffer().get(values);
    } else {
      bytes.get((byte[]) tensor.array());
    }
  }

  /** One input has it twice in its file, another once. */
  @Test
  void whatIsTiedInAllInputsIsTiedInTheResult() throws IOException {
    ArrayTensor shared = ArrayTensor.of(new float[] {1, 2}, 2);
    StateDict<ArrayTensor> tied =
        StateDict.builder(ArrayBackend.instance())
            .parameter("in", shared)
            .parameter("out", shared)
            .build();
    StateDict<ArrayTensor> apart =
        StateDict.builder(ArrayBackend.instance())
            .parameter("in", ArrayTensor.of(new float[] {3, 4}, 2))
            .parameter("out", ArrayTensor.of(new float[] {5, 6}, 2))
            .build();
    double[] weights = {0.5, 0.5};

    try (StateDict<?> both =
            Merge.stateDict(plan(weights, List.of(tied, tied)), List.of(tied, tied));
        StateDict<?> one =
            Merge.stateDict(plan(weights, List.of(tied, apart)), List.of(tied, apart))) {
      assertThat(tensor(both, 0)).isSameAs(tensor(both, 1));
      assertThat(tensor(one, 0)).isNotSameAs(tensor(one, 1));
      Path file = folder.resolve("tied.pth");
      PthWriter.of(PthLayout.STATE_DICT).model(both).write(file);
      try (PthFile written = PthFile.open(file)) {
        StateDict<FileTensor> state = written.stateDict("");
        assertThat(state.backend().storage(state.entries().get(0).tensor()))
            .isEqualTo(state.backend().storage(state.entries().get(1).tensor()));
      }
    }
  }

  private static Object tensor(StateDict<?> state, int index) {
    return state.entries().get(index).tensor();
  }

  @Test
  void anInputOfWeightZeroMayBeInfinite() throws IOException {
    List<StateDict<ArrayTensor>> states =
        List.of(floats(1, Float.NaN), floats(Float.POSITIVE_INFINITY, 3), floats(-0.0f, 2));
    Path file = folder.resolve("average");
    try (StateDict<?> average = Merge.stateDict(plan(new double[] {0, 0, 1}, states), states)) {
      TensorFile.write(file, average, Map.of());
    }
    assertThat(read(file)).containsExactly(-0.0f, 2);
  }

  /** A full disk in the middle of a tensor; the pieces that were computed ahead are given back. */
  @Test
  void aFailureLeavesTheResultUsable() throws IOException {
    int size = 5 * Pieces.PIECE_BYTES / Float.BYTES;
    List<StateDict<ArrayTensor>> states = List.of(floats(random(new Random(1), size)));
    AtomicLong pieces = new AtomicLong();
    Path file = folder.resolve("average");
    try (StateDict<?> average =
        Merge.stateDict(
            plan(new double[] {1}, states),
            states,
            Merge.LEAST_BYTES,
            bytes -> {
              if (pieces.incrementAndGet() == 2) {
                throw new IllegalStateException("stop");
              }
            })) {
      for (int i = 0; i < 3; i++) {
        pieces.set(0);
        assertThatThrownBy(() -> TensorFile.write(file, average, Map.of()))
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("stop");
        assertThat(folder).isEmptyDirectory();
      }
      pieces.set(2);
      TensorFile.write(file, average, Map.of());
    }
    assertThat(read(file)).isEqualTo(states.get(0).entries().get(0).tensor().array());
  }

  @Test
  void aSourceThatCannotBeReadIsTold() throws IOException {
    int size = 3 * Pieces.PIECE_BYTES / Float.BYTES;
    Path input = folder.resolve("input");
    TensorFile.write(input, floats(new float[size]), Map.of());
    TensorFile closed = TensorFile.open(input);
    List<StateDict<FileTensor>> states = List.of(closed.stateDict());
    try (StateDict<?> average = Merge.stateDict(plan(new double[] {1}, states), states)) {
      closed.close();
      assertThatThrownBy(() -> TensorFile.write(folder.resolve("average"), average, Map.of()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the file " + input + " is closed, and its tensors with it");
    }
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(input);
    }
  }

  @Test
  void inputsAreThoseOfThePlan() {
    List<StateDict<ArrayTensor>> states = List.of(floats(1, 2), floats(3, 4));
    MergePlan plan = plan(new double[] {0.5, 0.5}, states);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> Merge.stateDict(plan, states.subList(0, 1)))
        .withMessage("the plan was made for more than 1 inputs");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Merge.stateDict(plan, List.of(states.get(0), floats(1, 2, 3))))
        .withMessageContaining("of type F32 and shape [2], but that input has TensorSpec");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Merge.stateDict(plan, states, Merge.LEAST_BYTES - 1, bytes -> {}))
        .withMessage("an average takes at least 3145728 bytes of memory, but may have 3145727");
    ArrayTensor columns =
        ArrayTensor.view(ElementType.F32, new float[4], 0, new long[] {2, 2}, new long[] {1, 2});
    List<StateDict<ArrayTensor>> strided =
        List.of(StateDict.builder(ArrayBackend.instance()).parameter("w", columns).build());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Merge.stateDict(plan(new double[] {1}, strided), strided))
        .withMessageStartingWith(
            "'w' of input 0 is neither in a file nor row-major in host memory");
    MergePlan.Entry entry = plan.entries().get(0);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new BlockMerger().merge(entry, List.of(), 0, ByteBuffer.allocate(4)))
        .withMessage("'w' has 2 terms, but there are 0 sources");
    BlockMerger.Source none = (first, into) -> {};
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> new BlockMerger().merge(entry, List.of(none, none), 0, ByteBuffer.allocate(5)))
        .withMessage("there is room for 5 bytes, which is no whole number of elements of 4");
  }
}
