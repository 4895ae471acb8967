package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import ai.djl.util.passthrough.PassthroughNDArray;
import ai.djl.util.passthrough.PassthroughNDManager;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class DjlBackendTest {
  private final DjlBackend backend = DjlBackend.instance();
  private NDManager manager;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager(Device.cpu());
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @CsvSource({
    "FLOAT64, F64",
    "FLOAT32, F32",
    "FLOAT16, F16",
    "INT64, I64",
    "INT32, I32",
    "INT8, I8",
    "UINT8, U8",
    "BOOLEAN, BOOL"
  })
  void describesEveryTypeThatItCanAllocate(DataType type, ElementType element) {
    NDArray array = manager.zeros(new Shape(2, 3), type);
    TensorSpec spec = TensorSpec.contiguous(element, 2, 3);

    assertThat(backend.describe(array)).isEqualTo(spec);
    List<NDArray> allocated = backend.allocate(List.of(spec));
    assertThat(allocated.get(0).getDataType()).isEqualTo(type);
    assertThat(allocated.get(0).getShape()).isEqualTo(new Shape(2, 3));
    assertThat(allocated.get(0).hasGradient()).isFalse();
    assertThat(backend.describe(allocated.get(0))).isEqualTo(spec);
    backend.release(allocated);
  }

  @Test
  void describesScalarsAndEmptyArrays() {
    assertThat(backend.describe(manager.create(3f)))
        .isEqualTo(TensorSpec.contiguous(ElementType.F32));
    NDArray empty = manager.zeros(new Shape(0, 3));

    assertThat(backend.describe(empty)).isEqualTo(TensorSpec.contiguous(ElementType.F32, 0, 3));
    assertThat(backend.storage(empty).bytes()).isZero();
    assertThat(backend.memory(empty).elements()).isZero();
  }

  @Test
  void writesThroughMemoryAreInTheArray() {
    NDArray floats = manager.ones(new Shape(2, 3));
    ((FloatBuffer) backend.memory(floats).segmentAt(0)).put(5, 7.5f);
    assertThat(floats.toFloatArray()).containsExactly(1, 1, 1, 1, 1, 7.5f);

    NDArray longs = manager.zeros(new Shape(2), DataType.INT64);
    ((LongBuffer) backend.memory(longs).segmentAt(0)).put(1, 1L << 40);
    assertThat(longs.toLongArray()).containsExactly(0, 1L << 40);

    NDArray doubles = manager.zeros(new Shape(1), DataType.FLOAT64);
    ((DoubleBuffer) backend.memory(doubles).segmentAt(0)).put(0, 1e-300);
    assertThat(doubles.toDoubleArray()).containsExactly(1e-300);

    NDArray ints = manager.zeros(new Shape(1), DataType.INT32);
    ((IntBuffer) backend.memory(ints).segmentAt(0)).put(0, 1 << 20);
    assertThat(ints.toIntArray()).containsExactly(1 << 20);

    NDArray bytes = manager.zeros(new Shape(3), DataType.UINT8);
    ((ByteBuffer) backend.memory(bytes).segmentAt(0)).put(2, (byte) 200);
    assertThat(bytes.toUint8Array()).containsExactly(0, 0, 200);

    NDArray halves = manager.zeros(new Shape(1), DataType.FLOAT16);
    ((ShortBuffer) backend.memory(halves).segmentAt(0)).put(0, (short) 0x3c00);
    assertThat(halves.toType(DataType.FLOAT32, true).toFloatArray()).containsExactly(1);
  }

  @Test
  void storageTellsViewsOfOneArrayFromAnother() {
    NDArray array = manager.ones(new Shape(4, 3));
    Storage whole = backend.storage(array);
    Storage row = backend.storage(array.get("2:3"));

    assertThat(whole.bytes()).isEqualTo(48);
    assertThat(row.begin()).isEqualTo(whole.begin() + 24);
    assertThat(row.bytes()).isEqualTo(12);
    assertThat(backend.storage(array.stopGradient()).isSameAs(whole)).isTrue();
    assertThat(backend.storage(array.duplicate()).overlaps(whole)).isFalse();
  }

  @Test
  void openingArraysLeavesNothingBehind() {
    NDArray array = manager.ones(new Shape(4, 3));
    NDArray view = array.transpose();
    int before = Nets.openArrays();
    for (int i = 0; i < 100; i++) {
      backend.describe(array);
      backend.storage(array);
      backend.memory(array);
      new DjlBackend(16).memory(array);
      assertThatThrownBy(() -> backend.describe(view))
          .isInstanceOf(UnsupportedOperationException.class);
    }
    assertThat(Nets.openArrays()).isEqualTo(before);
  }

  @Test
  void refusesViewsThatAreNotContiguousSoThatNoWriteIsLost() {
    NDArray array = manager.ones(new Shape(4, 3));

    for (NDArray view :
        List.of(
            array.transpose(),
            array.get(":, 1:2"),
            manager.ones(new Shape(1, 3)).broadcast(new Shape(4, 3)))) {
      for (DjlBackend each : List.of(backend, new DjlBackend(16))) {
        assertThatThrownBy(() -> each.describe(view))
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("not contiguous")
            .hasMessageContaining("duplicate()");
        assertThatThrownBy(() -> each.memory(view))
            .isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> each.storage(view))
            .isInstanceOf(UnsupportedOperationException.class);
      }
    }
  }

  @Test
  void looksAgainWhereAnArrayHasAnotherTensorBehindIt() {
    NDArray array = manager.ones(new Shape(3, 3));
    backend.memory(array);
    array.intern(manager.ones(new Shape(3, 3)).transpose());

    assertThatThrownBy(() -> backend.memory(array))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("not contiguous");
    array.intern(manager.full(new Shape(3, 3), 5f));
    assertThat(((FloatBuffer) backend.memory(array).segmentAt(0)).get(8)).isEqualTo(5);
  }

  @Test
  void followsAnArrayWhoseMemoryWasReplaced() {
    NDArray array = manager.ones(new Shape(2));
    Storage before = backend.storage(array);
    array.set(new float[] {3, 4});

    assertThat(backend.storage(array).overlaps(before)).isFalse();
    ((FloatBuffer) backend.memory(array).segmentAt(0)).put(1, 7);
    assertThat(array.toFloatArray()).containsExactly(3, 7);
  }

  @Test
  void takesViewsThatAreContiguous() {
    NDArray array = manager.ones(new Shape(4, 3));
    NDArray rows = array.get("1:3");

    assertThat(backend.describe(rows)).isEqualTo(TensorSpec.contiguous(ElementType.F32, 2, 3));
    ((FloatBuffer) backend.memory(rows).segmentAt(0)).put(0, 9);
    assertThat(array.getFloat(1, 0)).isEqualTo(9);
  }

  @Test
  void splitsLargeArraysIntoEqualSegmentsInPlace() {
    DjlBackend small = new DjlBackend(16);
    NDArray array = manager.arange(10f).reshape(2, 5);
    array.setRequiresGradient(true);
    HostMemory memory = small.memory(array);

    assertThat(memory.elements()).isEqualTo(10);
    assertThat(memory.remainingAt(0)).isEqualTo(4);
    ((FloatBuffer) memory.segmentAt(9)).put(memory.indexAt(9), 99);
    assertThat(memory.segmentAt(9).remaining()).isEqualTo(2);
    assertThat(array.toFloatArray()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 99);
    assertThat(small.storage(array)).isEqualTo(backend.storage(array));
  }

  @Test
  @Tag("full")
  void opensArraysBeyondTwoGigabytes() {
    long elements = (1L << 31) + (1L << 20);
    NDArray array = manager.zeros(new Shape(2, elements / 2), DataType.INT8);
    assertThat(backend.describe(array).elements()).isEqualTo(elements);
    HostMemory memory = backend.memory(array);

    ((ByteBuffer) memory.segmentAt(elements - 1)).put(memory.indexAt(elements - 1), (byte) 3);
    assertThat(memory.elements()).isEqualTo(elements);
    assertThat(array.get("1, {}", elements / 2 - 1).toByteArray()).containsExactly(3);
  }

  @Test
  void refusesBfloat16ByItsTypeAlone() {
    // Of such an array nothing but the type may be asked; this one has nothing else.
    NDArray array =
        new PassthroughNDArray(
            PassthroughNDManager.INSTANCE, new Object(), new Shape(2), DataType.BFLOAT16);

    assertThatThrownBy(() -> backend.describe(array))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("bfloat16")
        .hasMessageContaining("keep the weights in float32 or float16");
  }

  @Test
  void refusesWhatTorchScriptReturnsInBfloat16(@TempDir Path directory) throws Exception {
    try (Model model = TorchScript.casting(TorchScript.BFLOAT16, directory)) {
      NDArray array = cast(model);

      assertThat(array.getDataType()).isEqualTo(DataType.UNKNOWN);
      assertThatThrownBy(() -> backend.describe(array))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("bfloat16 tensor shows as unknown");
      assertThatThrownBy(() -> backend.memory(array))
          .isInstanceOf(UnsupportedOperationException.class);
    }
  }

  @ParameterizedTest
  @CsvSource({"2", "9"})
  void refusesOtherTypesOfLibTorch(int scalarType, @TempDir Path directory) throws Exception {
    try (Model model = TorchScript.casting(scalarType, directory)) {
      NDArray array = cast(model);
      assertThatThrownBy(() -> backend.describe(array))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("cannot be averaged");
    }
  }

  private NDArray cast(Model model) {
    return model
        .getBlock()
        .forward(
            new ParameterStore(manager, false), new NDList(manager.ones(new Shape(3))), false, null)
        .singletonOrThrow();
  }

  @Test
  void refusesStrings() {
    assertThatThrownBy(() -> backend.describe(manager.create("weights")))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("string")
        .hasMessageContaining("float32");
  }

  @Test
  void refusesSparseArrays() {
    NDArray sparse =
        manager.createCoo(
            FloatBuffer.wrap(new float[] {1, 2}), new long[][] {{0, 1}, {0, 1}}, new Shape(2, 2));

    assertThatThrownBy(() -> backend.describe(sparse))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("toDense()");
  }

  private static NDArray on(Device device) {
    return new PassthroughNDArray(
        new PassthroughNDManager(Engine.getInstance(), device),
        new Object(),
        new Shape(2),
        DataType.FLOAT32);
  }

  @Test
  void describesArraysOnGpusWithoutOpeningThem() {
    NDArray array = on(Device.gpu(1));
    io.github.ema4j.Device cuda1 = new io.github.ema4j.Device("cuda", 1);

    assertThat(backend.describe(array))
        .isEqualTo(TensorSpec.contiguous(ElementType.F32, 2).withDevice(cuda1));
    assertThat(backend.storage(array).isSameAs(backend.storage(array))).isTrue();
    assertThat(backend.storage(array).overlaps(backend.storage(on(Device.gpu(1))))).isFalse();
  }

  @Test
  void refusesArraysOnOtherDevices() {
    assertThatThrownBy(() -> backend.describe(on(Device.of("npu", 0))))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("npu(0)")
        .hasMessageContaining("Device.cpu()");
  }

  /** An engine that is not DJL's default. */
  private static final class OtherEngine extends Engine {
    @Override
    public Engine getAlternativeEngine() {
      return null;
    }

    @Override
    public String getEngineName() {
      return "Other";
    }

    @Override
    public int getRank() {
      return 99;
    }

    @Override
    public String getVersion() {
      return "1";
    }

    @Override
    public boolean hasCapability(String capability) {
      return false;
    }

    @Override
    public Model newModel(String name, Device device) {
      throw new UnsupportedOperationException();
    }

    @Override
    public NDManager newBaseManager() {
      throw new UnsupportedOperationException();
    }

    @Override
    public NDManager newBaseManager(Device device) {
      throw new UnsupportedOperationException();
    }
  }

  @Test
  void refusesArraysOfAnotherEngineThanAveragesAreKeptIn() {
    NDArray array =
        new PassthroughNDArray(
            new PassthroughNDManager(new OtherEngine(), Device.cpu()),
            ByteBuffer.allocateDirect(8),
            new Shape(2),
            DataType.FLOAT32);

    assertThatThrownBy(() -> backend.describe(array))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("engine Other")
        .hasMessageContaining("default engine PyTorch")
        .hasMessageContaining("-Dai.djl.default_engine=Other");
  }

  @Test
  void refusesArraysThatOpenOnTheJavaHeap() {
    NDArray array =
        new PassthroughNDArray(
            new PassthroughNDManager(Engine.getInstance(), Device.cpu()),
            ByteBuffer.allocate(8),
            new Shape(2),
            DataType.FLOAT32);

    assertThatThrownBy(() -> backend.describe(array))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("heap");
  }

  @Test
  void refusesClosedArrays() {
    NDArray array = manager.ones(new Shape(2));
    array.close();

    assertThatThrownBy(() -> backend.describe(array))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> backend.memory(array)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> backend.storage(array)).isInstanceOf(IllegalStateException.class);
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"BF16", "I16"},
      mode = Mode.INCLUDE)
  void allocatesNothingWhereOneTypeIsNotToBeHad(ElementType type) {
    String before = Nets.owned();

    assertThatThrownBy(
            () ->
                backend.allocate(
                    List.of(
                        TensorSpec.contiguous(ElementType.F32, 2), TensorSpec.contiguous(type, 2))))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining(type.name())
        .hasMessageContaining("F32");
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void allocatesNothingOnOtherDevices() {
    String before = Nets.owned();
    TensorSpec here = TensorSpec.contiguous(ElementType.F32, 2);

    assertThatThrownBy(
            () ->
                backend.allocate(
                    List.of(here, here.withDevice(new io.github.ema4j.Device("cuda", 99)))))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("cuda:99")
        .hasMessageContaining("leave the device out");
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void allocatesNothingWhereTheEngineFails() {
    String before = Nets.owned();

    assertThatThrownBy(
            () ->
                backend.allocate(
                    List.of(
                        TensorSpec.contiguous(ElementType.F32, 2),
                        TensorSpec.contiguous(ElementType.F64, 1L << 58))))
        .isInstanceOf(RuntimeException.class);
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void allocatedArraysAreRowMajorZeroAndDieOnRelease() {
    String before = Nets.owned();
    TensorSpec columnMajor =
        new TensorSpec(
            ElementType.F32,
            TensorSpec.contiguous(ElementType.F32, 2, 3).shape(),
            TensorSpec.contiguous(ElementType.F32, 1, 2).shape(),
            io.github.ema4j.Device.CPU);
    List<NDArray> arrays =
        backend.allocate(List.of(columnMajor, TensorSpec.contiguous(ElementType.I64)));

    assertThat(backend.describe(arrays.get(0)))
        .isEqualTo(TensorSpec.contiguous(ElementType.F32, 2, 3));
    assertThat(arrays.get(0).toFloatArray()).containsOnly(0);
    backend.release(arrays);
    assertThat(arrays).allMatch(NDArray::isReleased);
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void releasesArraysThatTheUserAttachedElsewhereAndNotTheirManager() {
    String before = Nets.owned();
    TensorSpec spec = TensorSpec.contiguous(ElementType.F32, 2);
    List<NDArray> arrays = backend.allocate(List.of(spec, spec));
    NDArray other = manager.ones(new Shape(2));
    arrays.get(0).attach(manager);
    backend.release(arrays);

    assertThat(arrays).allMatch(NDArray::isReleased);
    assertThat(other.isReleased()).isFalse();
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void allocatedArraysOutliveTheScopeOfTheUser() {
    List<NDArray> arrays;
    try (NDScope scope = new NDScope()) {
      scope.suppressNotUsedWarning();
      arrays = backend.allocate(List.of(TensorSpec.contiguous(ElementType.F32, 2)));
    }
    assertThat(arrays).noneMatch(NDArray::isReleased);
    backend.release(arrays);
  }

  @Test
  void recordsNoGradientOnAnyThread() throws InterruptedException {
    NDArray weight = manager.ones(new Shape(2));
    weight.setRequiresGradient(true);
    Runnable check =
        () -> {
          boolean before = JniUtils.isGradMode();
          backend.withoutGradient(
              () -> assertThat(Nets.isRecorded(weight.mul(2))).as("recorded").isFalse());
          assertThat(JniUtils.isGradMode()).as("mode after").isEqualTo(before);
        };

    check.run();
    Nets.onAnotherThread(
        () -> {
          assertThat(Nets.isRecorded(weight.mul(2))).as("recorded by itself").isTrue();
          check.run();
          assertThat(Nets.isRecorded(weight.mul(2))).as("recorded again").isTrue();
        });
  }

  @Test
  void freesWhatTheWorkMakesButForWhatItTakesOut() {
    NDArray weight = manager.ones(new Shape(2));
    NDArray[] taken = new NDArray[1];
    int open = Nets.openArrays();
    backend.withoutGradient(
        () -> {
          taken[0] = weight.mul(2).add(1);
          NDScope.unregister(taken[0]);
        });

    assertThat(Nets.openArrays()).isEqualTo(open + 1);
    assertThat(taken[0].toFloatArray()).containsExactly(3, 3);
  }

  @Test
  void recordsGradientsAgainWhenTheWorkFails() throws InterruptedException {
    Nets.onAnotherThread(
        () -> {
          assertThatThrownBy(
                  () ->
                      backend.withoutGradient(
                          () -> {
                            throw new IllegalArgumentException("rule");
                          }))
              .hasMessage("rule");
          assertThat(JniUtils.isGradMode()).isTrue();
        });
  }
}
