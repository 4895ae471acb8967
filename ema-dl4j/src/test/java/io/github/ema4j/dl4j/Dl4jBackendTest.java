package io.github.ema4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.executioner.OpExecutioner.ExecutionerType;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

@SuppressWarnings("try") // workspaces are open for as long as they are not closed
class Dl4jBackendTest {
  private static final Dl4jBackend BACKEND = Dl4jBackend.instance();
  private static final Map<ElementType, Class<?>> BUFFERS =
      Map.of(
          ElementType.F64, DoubleBuffer.class,
          ElementType.F32, FloatBuffer.class,
          ElementType.F16, ShortBuffer.class,
          ElementType.BF16, ShortBuffer.class,
          ElementType.I64, LongBuffer.class,
          ElementType.I32, IntBuffer.class,
          ElementType.I16, ShortBuffer.class,
          ElementType.I8, ByteBuffer.class,
          ElementType.U8, ByteBuffer.class,
          ElementType.BOOL, ByteBuffer.class);

  private static INDArray counting(long length) {
    return Nd4j.linspace(0, length - 1, length, DataType.FLOAT);
  }

  private static TensorSpec strided(long[] shape, long... strides) {
    return new TensorSpec(
        ElementType.F32,
        ImmutableLongArray.copyOf(shape),
        ImmutableLongArray.copyOf(strides),
        Device.CPU);
  }

  @Test
  void opensColumnMajorViewsInPlaceFromTheirOffset() {
    INDArray vector = counting(20);
    INDArray view = vector.get(NDArrayIndex.interval(4, 16)).reshape('f', 3, 4);

    assertThat(BACKEND.describe(view)).isEqualTo(strided(new long[] {3, 4}, 1, 3));
    FloatBuffer memory = (FloatBuffer) BACKEND.memory(view).segmentAt(0);
    assertThat(memory.remaining()).isEqualTo(12);
    assertThat(memory.get(memory.position())).isEqualTo(4);
    memory.put(memory.position() + 3, 42);
    assertThat(view.getFloat(0, 1)).isEqualTo(42);
    assertThat(vector.getFloat(7)).isEqualTo(42);
  }

  @Test
  void opensSlicesWithGaps() {
    INDArray matrix = counting(20).reshape(4, 5);
    INDArray slice = matrix.get(NDArrayIndex.interval(0, 2, 4), NDArrayIndex.interval(1, 4));

    assertThat(BACKEND.describe(slice)).isEqualTo(strided(new long[] {2, 3}, 10, 1));
    HostMemory memory = BACKEND.memory(slice);
    assertThat(memory.elements()).isEqualTo(13);
    assertThat(((FloatBuffer) memory.segmentAt(0)).get(memory.indexAt(10))).isEqualTo(11);
  }

  @Test
  void opensScalarsAndEmptyArrays() {
    INDArray vector = counting(5);
    INDArray scalar = Nd4j.create(vector.data(), new long[0], new long[0], 3, 'c');
    assertThat(BACKEND.describe(scalar)).isEqualTo(TensorSpec.contiguous(ElementType.F32));
    assertThat(((FloatBuffer) BACKEND.memory(scalar).segmentAt(0)).get(0)).isEqualTo(3);

    INDArray empty = Nd4j.create(DataType.FLOAT, 0, 3);
    assertThat(BACKEND.describe(empty)).isEqualTo(TensorSpec.contiguous(ElementType.F32, 0, 3));
    assertThat(BACKEND.memory(empty).elements()).isZero();
    assertThat(BACKEND.storage(empty).bytes()).isZero();
    assertThat(BACKEND.isFinite(empty)).isTrue();
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void opensEveryTypeInTheBufferThatHoldsIt(ElementType type) {
    List<INDArray> arrays = BACKEND.allocate(List.of(TensorSpec.contiguous(type, 2, 3)));
    assertThat(BACKEND.describe(arrays.get(0))).isEqualTo(TensorSpec.contiguous(type, 2, 3));
    assertThat(BACKEND.memory(arrays.get(0)).segmentAt(0)).isInstanceOf(BUFFERS.get(type));
    BACKEND.release(arrays);
  }

  @Test
  void splitsWhatNoBufferCanHold() {
    INDArray array = counting(10);
    HostMemory memory = new Dl4jBackend(17).memory(array); // 4 elements, as 17 bytes are no whole
    assertThat(memory.elements()).isEqualTo(10);
    for (int i = 0; i < 10; i++) {
      FloatBuffer segment = (FloatBuffer) memory.segmentAt(i);
      assertThat(segment.get(memory.indexAt(i))).isEqualTo(i);
    }
    assertThat(memory.segmentAt(0)).isNotSameAs(memory.segmentAt(4));
    assertThat(memory.segmentAt(8).remaining()).isEqualTo(2);
  }

  @Test
  @Tag("full")
  void averagesMoreThanTwoGibibytes() {
    long length = (1L << 31) + 10;
    try (INDArray model = Nd4j.createUninitializedDetached(DataType.INT8, length)) {
      model.assign(1);
      StateDict<INDArray> dict = StateDict.builder(BACKEND).counter("large", model).build();
      try (ModelEma<StateDict<INDArray>> ema =
          ModelEma.builder(StateDict.adapter(BACKEND))
              .strategy(EmaStrategy.nameMatched(0.5))
              .build(dict)) {
        model.putScalar(length - 1, 7);
        ema.update(dict);
        INDArray average = (INDArray) ema.state().entries().get(0).tensor();
        assertThat(average.getLong(5)).isEqualTo(1);
        assertThat(average.getLong(length - 1)).isEqualTo(7);
      }
    }
  }

  @Test
  void refusesTypesThatAreNoNumbersOfOurs() {
    assertThatThrownBy(() -> BACKEND.describe(Nd4j.create(DataType.UINT32, 3)))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageStartingWith("INDArrays of type UINT32 cannot be averaged; these can: [DOUBLE,");
    assertThatThrownBy(() -> BACKEND.describe(Nd4j.create("text")))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("UTF8");
  }

  @Test
  void refusesCompressedArrays() {
    INDArray compressed = Nd4j.getCompressor().compress(counting(100), "GZIP");
    assertThatThrownBy(() -> BACKEND.describe(compressed))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("decompressi");
  }

  @Test
  void refusesArraysThatDieWithTheirWorkspace() {
    try (MemoryWorkspace workspace =
        Nd4j.getWorkspaceManager().getAndActivateWorkspace("ema4j test")) {
      INDArray attached = Nd4j.create(DataType.FLOAT, 3);
      assertThatThrownBy(() -> BACKEND.describe(attached))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("detach()");
      assertThat(BACKEND.describe(attached.detach()).elements()).isEqualTo(3);
    }
  }

  @Test
  void allocatesOutsideOfWorkspaces() {
    List<INDArray> arrays;
    try (MemoryWorkspace workspace =
        Nd4j.getWorkspaceManager().getAndActivateWorkspace("ema4j test")) {
      arrays =
          BACKEND.allocate(
              List.of(
                  TensorSpec.contiguous(ElementType.F32, 3),
                  TensorSpec.contiguous(ElementType.F32, 0)));
      arrays.forEach(array -> assertThat(array.isAttached()).isFalse());
    }
    arrays.get(0).assign(5);
    assertThat(arrays.get(0).sumNumber().intValue()).isEqualTo(15);
    BACKEND.release(arrays);
  }

  @Test
  void saysWhatIsClosed() {
    INDArray array = counting(3);
    INDArray view = array.get(NDArrayIndex.interval(1, 3));
    array.close();
    for (INDArray closed : List.of(array, view)) {
      assertThatThrownBy(() -> BACKEND.describe(closed)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> BACKEND.storage(closed)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> BACKEND.memory(closed))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("keep the network open");
    }
  }

  @Test
  void allocatesNeighboursAsAskedFor() {
    List<TensorSpec> specs =
        List.of(
            strided(new long[] {3, 4}, 1, 3),
            TensorSpec.contiguous(ElementType.F64, 5),
            TensorSpec.contiguous(ElementType.F32),
            strided(new long[] {2, 3, 4}, 1, 8, 2),
            TensorSpec.contiguous(ElementType.F32, 0, 2),
            TensorSpec.contiguous(ElementType.F32, 7));
    List<INDArray> arrays = BACKEND.allocate(specs);

    assertThat(arrays.stream().map(BACKEND::describe)).containsExactlyElementsOf(specs);
    long begin = BACKEND.storage(arrays.get(0)).begin();
    assertThat(BACKEND.storage(arrays.get(2)).begin()).isEqualTo(begin + 12 * 4);
    assertThat(BACKEND.storage(arrays.get(3)).begin()).isEqualTo(begin + 13 * 4);
    assertThat(BACKEND.storage(arrays.get(5)).begin()).isEqualTo(begin + 37 * 4);
    BACKEND.release(arrays);
  }

  @Test
  void releaseFreesAtOnceAndUseIsAnErrorThen() {
    List<INDArray> arrays =
        BACKEND.allocate(
            List.of(
                TensorSpec.contiguous(ElementType.F32, 1000),
                TensorSpec.contiguous(ElementType.F32, 1000),
                TensorSpec.contiguous(ElementType.F64, 0)));
    BACKEND.release(arrays);
    assertThat(NativeOperations.whole(arrays.get(0)).wasClosed()).isTrue();
    assertThatThrownBy(() -> BACKEND.memory(arrays.get(1)))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void refusesDevicesThatAreNotThere() {
    TensorSpec elsewhere =
        TensorSpec.contiguous(ElementType.F32, 3).withDevice(new Device("cuda", 7));
    assertThatThrownBy(() -> BACKEND.allocate(List.of(elsewhere)))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("cuda:7");
  }

  @Test
  void tellsTiedAndOverlappingArraysByAddressAndByBuffer() {
    INDArray vector = counting(10);
    INDArray left = vector.get(NDArrayIndex.interval(0, 6));
    INDArray right = vector.get(NDArrayIndex.interval(4, 10));
    INDArray rightAgain = right.reshape(2, 3);
    assertOverlap(BACKEND.storage(left), BACKEND.storage(right), BACKEND.storage(rightAgain));
    assertOverlap(
        BACKEND.storageInBuffer(left),
        BACKEND.storageInBuffer(right),
        BACKEND.storageInBuffer(rightAgain));
    assertThat(BACKEND.storageInBuffer(counting(3)).overlaps(BACKEND.storageInBuffer(left)))
        .isFalse();
  }

  private static void assertOverlap(Storage left, Storage right, Storage rightAgain) {
    assertThat(left.overlaps(right)).isTrue();
    assertThat(left.isSameAs(right)).isFalse();
    assertThat(right.isSameAs(rightAgain)).isTrue();
    assertThat(right.bytes()).isEqualTo(24);
  }

  /** What CUDA would run, on CPU arrays. */
  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-4, 0.25, 0.75, 1})
  void lerpMovesByTheWeightInPlace(double weight) {
    Random random = new Random(7);
    INDArray average = Nets.gaussian(random, 4, 5);
    INDArray matrix = Nets.gaussian(random, 5, 9);
    INDArray model = matrix.get(NDArrayIndex.all(), NDArrayIndex.interval(1, 2, 9)).transpose();
    float[] before = average.dup('c').data().asFloat();
    float[] towards = model.dup('c').data().asFloat();

    BACKEND.lerp(List.of(average), List.of(model), weight);

    float[] after = average.dup('c').data().asFloat();
    for (int i = 0; i < after.length; i++) {
      double expected = before[i] + weight * ((double) towards[i] - before[i]);
      assertThat((double) after[i]).isCloseTo(expected, within(3e-7));
      if (weight == 0 || weight == 1) {
        assertThat(after[i]).isEqualTo((float) expected);
      }
    }
    assertThat(model.dup('c').data().asFloat()).isEqualTo(towards);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-7, 1e-4, 0.3, 0.9})
  void lerpKeepsAConstant(double weight) {
    INDArray average = Nets.gaussian(new Random(8), 1000);
    INDArray model = average.dup();
    for (int i = 0; i < 100; i++) {
      BACKEND.lerp(List.of(average), List.of(model), weight);
    }
    assertThat(average.data().asFloat()).isEqualTo(model.data().asFloat());
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"F64", "F16", "BF16"})
  void lerpMovesOtherFloatingTypes(ElementType type) {
    List<INDArray> arrays =
        BACKEND.allocate(List.of(TensorSpec.contiguous(type, 4), TensorSpec.contiguous(type, 4)));
    arrays.get(0).assign(Nd4j.createFromArray(0f, 1f, 2f, -4f));
    arrays.get(1).assign(Nd4j.createFromArray(4f, 1f, 0f, 4f));
    BACKEND.lerp(arrays.subList(0, 1), arrays.subList(1, 2), 0.25);
    assertThat(arrays.get(0).castTo(DataType.FLOAT).data().asFloat())
        .containsExactly(1, 1, 1.5f, -2);
    BACKEND.release(arrays);
  }

  @Test
  void weightedSumAddsMultiplesAndTruncatesIntegers() {
    INDArray average = Nd4j.createFromArray(1f, 2f);
    BACKEND.weightedSum(List.of(average), List.of(Nd4j.createFromArray(5f, -4f)), 0.75, 0.25);
    assertThat(average.data().asFloat()).containsExactly(2, 0.5f);

    INDArray counts = Nd4j.createFromArray(10L, -10L, 1L << 40);
    INDArray others = Nd4j.createFromArray(13L, -13L, 1L << 41);
    BACKEND.weightedSum(List.of(counts), List.of(others), 0.5, 0.5);
    assertThat(counts.data().asLong()).containsExactly(11, -11, 3L << 39);
  }

  @Test
  void copiesBetweenTypes() {
    INDArray doubles = Nd4j.create(DataType.DOUBLE, 3);
    INDArray halves = Nd4j.create(DataType.FLOAT16, 3);
    BACKEND.copy(
        List.of(doubles, halves),
        List.of(Nd4j.createFromArray(1f, 2f, 0.1f), Nd4j.createFromArray(1.0, 65504.0, 0.5)));
    assertThat(doubles.data().asDouble()).containsExactly(1, 2, 0.1f);
    assertThat(halves.castTo(DataType.DOUBLE).data().asDouble()).containsExactly(1, 65504, 0.5);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void findsWhatIsNotFinite(float value) {
    INDArray array = counting(100).reshape(10, 10);
    assertThat(BACKEND.isFinite(array)).isTrue();
    INDArray column = array.getColumn(3);
    array.putScalar(4, 3, value);
    assertThat(BACKEND.isFinite(array)).isFalse();
    assertThat(BACKEND.isFinite(column)).isFalse();
    assertThat(BACKEND.isFinite(array.getColumn(4))).isTrue();
  }

  @Test
  void joinsNeighboursOnBothSidesAlone() {
    INDArray vector = counting(12);
    INDArray other = counting(12);
    List<INDArray> views =
        List.of(part(vector, 0, 4), part(vector, 4, 8), part(vector, 9, 12), Nd4j.create(0));
    List<INDArray> others =
        List.of(part(other, 0, 4), part(other, 4, 8), part(other, 8, 11), Nd4j.create(0));
    List<NativeOperations.Pair> runs = NeighbourRuns.of(BACKEND, views, others);
    assertThat(runs).hasSize(2);
    assertThat(runs.get(0).to().toFloatVector()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7);
    assertThat(runs.get(1).to()).isSameAs(views.get(2));

    INDArray rows = counting(6).reshape('c', 2, 3);
    INDArray columns = counting(6).reshape('f', 2, 3);
    List<INDArray> twoRows = List.of(rows, rows);
    List<INDArray> twoColumns = List.of(columns, columns);
    assertThat(NeighbourRuns.of(BACKEND, twoRows, twoColumns)).hasSize(2);
  }

  private static INDArray part(INDArray vector, long from, long to) {
    return vector.get(NDArrayIndex.interval(from, to));
  }

  @Test
  void aNetworkAndItsAverageAreOneRunEach() {
    MultiLayerNetwork network = Nets.network(1);
    try (ModelEma<MultiLayerNetwork> ema =
        ModelEma.builder(Dl4jAdapter.multiLayer())
            .strategy(EmaStrategy.nameMatched(0.9))
            .build(network)) {
      assertThat(runs(ema.state(), Dl4jAdapter.multiLayer().stateDict(network))).hasSize(1);
    }
    ComputationGraph graph = Nets.graph(1);
    try (ModelEma<ComputationGraph> ema =
        ModelEma.builder(Dl4jAdapter.graph()).strategy(EmaStrategy.nameMatched(0.9)).build(graph)) {
      assertThat(runs(ema.state(), Dl4jAdapter.graph().stateDict(graph))).hasSize(1);
    }
  }

  private static List<NativeOperations.Pair> runs(StateDict<?> average, StateDict<INDArray> model) {
    List<INDArray> averages =
        average.entries().stream().map(entry -> (INDArray) entry.tensor()).toList();
    return NeighbourRuns.of(
        BACKEND, averages, model.entries().stream().map(Entry::tensor).toList());
  }

  @Test
  void averagesOnADevice() {
    assumeTrue(
        Nd4j.getExecutioner().type() == ExecutionerType.CUDA,
        "ND4J runs on the CPU here: no nd4j-cuda on the class path, or no device");
    MultiLayerNetwork network = Nets.network(1);
    try (ModelEma<MultiLayerNetwork> ema =
        ModelEma.builder(Dl4jAdapter.multiLayer())
            .strategy(EmaStrategy.nameMatched(0.75))
            .build(network)) {
      Map<String, float[]> start = Nets.weights(network);
      network.params().addi(1);
      ema.update(network);
      assertThat(ema.state().entries().get(0).spec().device()).isEqualTo(new Device("cuda", 0));
      Nets.values(ema.state())
          .forEach(
              (name, values) -> {
                for (int i = 0; i < values.length; i++) {
                  assertThat(values[i]).isCloseTo(start.get(name)[i] + 0.25f, within(1e-6f));
                }
              });
    }
  }
}
