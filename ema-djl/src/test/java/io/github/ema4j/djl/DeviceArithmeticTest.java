package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.pytorch.jni.JniUtils;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Swap;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What works on GPUs, tried on arrays on the CPU: DJL's operations are the same. */
class DeviceArithmeticTest {
  private static final int SIZE = 257;

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

  private static float[] floats(int seed) {
    Random random = new Random(seed);
    float[] values = new float[SIZE];
    for (int i = 0; i < SIZE; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static double[] doubles(int seed) {
    Random random = new Random(seed);
    return random.doubles(SIZE, -1, 1).toArray();
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-4, 0.1, 1 / 3.0, 1})
  void lerpOfFloatsIsTheFormulaInFloat32(double weight) {
    float[] a = floats(1);
    float[] m = floats(2);
    NDArray average = manager.create(a);
    backend.lerp(List.of(average), List.of(manager.create(m)), weight);

    for (int i = 0; i < SIZE; i++) {
      a[i] = a[i] + (float) weight * (m[i] - a[i]);
    }
    assertThat(average.toFloatArray()).isEqualTo(a);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-4, 0.1, 1 / 3.0, 1 - 1e-15, 1})
  void lerpOfDoublesIsTheFormulaInFloat64(double weight) {
    double[] a = doubles(1);
    double[] m = doubles(2);
    NDArray average = manager.create(a);
    backend.lerp(List.of(average), List.of(manager.create(m)), weight);

    for (int i = 0; i < SIZE; i++) {
      a[i] = a[i] + weight * (m[i] - a[i]);
    }
    assertThat(average.toDoubleArray()).isEqualTo(a);
  }

  @Test
  void weightedSumIsTheFormula() {
    float[] a = floats(1);
    float[] m = floats(2);
    NDArray average = manager.create(a);
    backend.weightedSum(List.of(average), List.of(manager.create(m)), 0.9999, 1 - 0.9999);

    for (int i = 0; i < SIZE; i++) {
      a[i] = a[i] * 0.9999f + m[i] * (float) (1 - 0.9999);
    }
    assertThat(average.toFloatArray()).isEqualTo(a);
  }

  @Test
  void weightedSumOfIntegersIsTruncatedTowardsZero() {
    NDArray average = manager.create(new long[] {10, -10, 3});
    backend.weightedSum(
        List.of(average), List.of(manager.create(new long[] {11, -11, -100})), 0.9, 0.1);

    assertThat(average.toLongArray()).containsExactly(10, -10, -7);
  }

  @Test
  void halvesAreComputedInFloat32() {
    NDArray average = manager.create(floats(1)).toType(DataType.FLOAT16, true);
    NDArray model = manager.create(floats(2)).toType(DataType.FLOAT16, true);
    NDArray wide = average.toType(DataType.FLOAT32, true);
    backend.lerp(List.of(wide), List.of(model.toType(DataType.FLOAT32, true)), 1e-3);
    backend.lerp(List.of(average), List.of(model), 1e-3);

    assertThat(average.getDataType()).isEqualTo(DataType.FLOAT16);
    assertThat(average.toByteArray()).isEqualTo(wide.toType(DataType.FLOAT16, true).toByteArray());
  }

  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT16", "FLOAT32", "FLOAT64", "INT64", "INT32", "UINT8"})
  void copiesToEveryType(DataType type) {
    NDArray target = manager.zeros(new Shape(2, 2), type);
    NDArray scalar = manager.zeros(new Shape(), type);
    NDArray none = manager.zeros(new Shape(0, 3), type);
    backend.copy(
        List.of(target, scalar, none),
        List.of(
            manager.create(new float[] {1, 2, 3, 4}, new Shape(2, 2)),
            manager.create(5f),
            manager.zeros(new Shape(0, 3))));

    assertThat(target.toType(DataType.FLOAT32, true).toFloatArray()).containsExactly(1, 2, 3, 4);
    assertThat(scalar.toType(DataType.FLOAT32, true).toFloatArray()).containsExactly(5);
    assertThat(target.getDataType()).isEqualTo(type);
  }

  @Test
  void copiesWhatIsNotContiguous() {
    NDArray grid = manager.arange(6f).reshape(2, 3);
    NDArray target = manager.zeros(new Shape(3, 2));
    backend.copy(List.of(target), List.of(grid.transpose()));

    assertThat(target.toFloatArray()).containsExactly(0, 3, 1, 4, 2, 5);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void findsWhatIsNotFinite(float value) {
    NDArray array = manager.create(new float[] {1, 2, 3});
    assertThat(backend.isFinite(array)).isTrue();
    assertThat(backend.isFinite(manager.zeros(new Shape(0)))).isTrue();
    array.set(new float[] {1, value, 3});
    assertThat(backend.isFinite(array)).isFalse();
  }

  @Test
  void recordsNothingAndLeavesNothingBehindOnAnyThread() throws InterruptedException {
    NDArray average = manager.create(floats(1));
    NDArray weight = manager.create(floats(2));
    weight.setRequiresGradient(true);
    String owned = Nets.owned();
    int open = Nets.openArrays();
    int arrays = manager.getManagedArrays().size();
    Runnable use =
        () -> {
          backend.lerp(List.of(average), List.of(weight), 0.1);
          backend.weightedSum(List.of(average), List.of(weight), 0.9, 0.1);
          backend.copy(
              List.of(weight), List.of(average)); // which LibTorch refuses where it records
          backend.isFinite(weight);
          assertThat(Nets.isRecorded(average)).isFalse();
        };

    use.run();
    Nets.onAnotherThread(
        () -> {
          assertThat(JniUtils.isGradMode()).isTrue();
          use.run();
        });
    assertThat(Nets.openArrays()).isEqualTo(open);
    assertThat(Nets.owned()).isEqualTo(owned);
    assertThat(manager.getManagedArrays()).hasSize(arrays);
  }

  /** Takes the arrays of the CPU for those of a device, so that the engine works by operations. */
  private static final class Elsewhere implements DeviceBackend<NDArray> {
    private static final io.github.ema4j.Device DEVICE = new io.github.ema4j.Device("cuda", 0);

    private final DjlBackend djl = DjlBackend.instance();

    @Override
    public String name() {
      return "elsewhere";
    }

    @Override
    public Class<NDArray> tensorType() {
      return NDArray.class;
    }

    @Override
    public TensorSpec describe(NDArray array) {
      return djl.describe(array).withDevice(DEVICE);
    }

    @Override
    public Storage storage(NDArray array) {
      return djl.storage(array);
    }

    @Override
    public HostMemory memory(NDArray array) {
      throw new AssertionError("the host must not open what is elsewhere");
    }

    @Override
    public List<NDArray> allocate(List<TensorSpec> specs) {
      return djl.allocate(
          specs.stream().map(spec -> spec.withDevice(io.github.ema4j.Device.CPU)).toList());
    }

    @Override
    public void release(List<NDArray> arrays) {
      djl.release(arrays);
    }

    @Override
    public void withoutGradient(Runnable work) {
      djl.withoutGradient(work);
    }

    @Override
    public void lerp(List<NDArray> averages, List<NDArray> models, double weight) {
      djl.lerp(averages, models, weight);
    }

    @Override
    public void weightedSum(List<NDArray> averages, List<NDArray> models, double a, double m) {
      djl.weightedSum(averages, models, a, m);
    }

    @Override
    public void copy(List<NDArray> to, List<NDArray> from) {
      djl.copy(to, from);
    }

    @Override
    public boolean isFinite(NDArray array) {
      return djl.isFinite(array);
    }
  }

  @Test
  void theEngineAveragesByOperationsAlone() {
    String owned = Nets.owned();
    StateDict<NDArray> model =
        StateDict.builder(new Elsewhere())
            .parameter("weight", manager.create(floats(1)))
            .parameter("half", manager.ones(new Shape(2, 2), DataType.FLOAT16))
            .parameter("scale", manager.create(1.0))
            .counter("steps", manager.create(0L))
            .build();
    NDArray weight = model.entries().get(0).tensor();
    try (ModelEma<StateDict<NDArray>> ema =
        ModelEma.builder(StateDict.adapter(model.backend()))
            .strategy(EmaStrategy.nameMatched(0.75))
            .guard(NonFiniteGuard.FAIL)
            .build(model)) {
      weight.muli(3);
      model.entries().get(1).tensor().muli(5);
      model.entries().get(2).tensor().muli(9);
      model.entries().get(3).tensor().addi(7);
      ema.update(model);

      List<? extends Entry<?>> averages = ema.state().entries();
      float[] start = floats(1);
      float[] expected = start.clone();
      for (int i = 0; i < SIZE; i++) {
        expected[i] += 0.25f * (3 * start[i] - start[i]);
      }
      assertThat(((NDArray) averages.get(0).tensor()).toFloatArray()).isEqualTo(expected);
      assertThat(((NDArray) averages.get(1).tensor()).toFloatArray()).containsOnly(2);
      assertThat(((NDArray) averages.get(2).tensor()).toDoubleArray()).containsExactly(3);
      assertThat(((NDArray) averages.get(3).tensor()).toLongArray()).containsExactly(7);
      float[] trained = weight.toFloatArray();
      try (Swap swap = ema.swapInto(model)) {
        assertThat(swap).isNotNull();
        assertThat(weight.toFloatArray()).isEqualTo(expected);
      }
      assertThat(weight.toFloatArray()).isEqualTo(trained);
    }
    assertThat(Nets.owned()).isEqualTo(owned);
  }

  @Test
  void averagesOnAGpu() {
    assumeTrue(Engine.getInstance().getGpuCount() > 0, "DJL's engine sees no GPU here");
    try (Model model = Model.newInstance("net", Device.gpu())) {
      Block block = Nets.network();
      block.initialize(model.getNDManager(), DataType.FLOAT32, Nets.INPUT);
      NDArray bias = block.getParameters().get("01Linear_bias").getArray();
      try (ModelEma<Block> ema =
          ModelEma.builder(DjlAdapter.instance())
              .strategy(EmaStrategy.nameMatched(0.75))
              .module(Nets::network)
              .build(block)) {
        bias.set(new float[] {4, 4, 4, 4, 4, 4});
        ema.update(block);
        NDArray average = (NDArray) ema.state().entries().get(1).tensor();
        assertThat(average.getDevice()).isEqualTo(Device.gpu());
        assertThat(average.toFloatArray()).containsOnly(1);
        try (Swap swap = ema.swapInto(block)) {
          assertThat(swap).isNotNull();
          assertThat(bias.toFloatArray()).containsOnly(1);
        }
        assertThat(bias.toFloatArray()).containsOnly(4);
        assertThat(ema.module().getParameters().get(0).getValue().getArray().getDevice())
            .isEqualTo(Device.gpu());
        ema.to(io.github.ema4j.Device.CPU);
        ema.update(block);
        assertThat(Nets.values(ema.state()).get("01Linear_bias")).containsOnly(1.75f);
      }
    }
  }
}
