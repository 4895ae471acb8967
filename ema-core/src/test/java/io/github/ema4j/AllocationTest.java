package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.schedule.PowerFunction;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An update leaves nothing to the garbage collector, whatever the compiler does. */
class AllocationTest {
  private static final int BATCHES = 20;
  private static final int UPDATES = 50;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private static volatile double sink;

  @AfterEach
  void clear() {
    System.clearProperty("ema.threads");
  }

  static Map<String, DecaySchedule> schedules() {
    Map<String, DecaySchedule> schedules = new LinkedHashMap<>();
    for (DecaySchedule schedule :
        new DecaySchedule[] {
          DecaySchedule.constant(0.999),
          DecaySchedule.inversePowerWarmup(0.999),
          DecaySchedule.numUpdatesWarmup(0.999),
          DecaySchedule.exponentialRamp(0.999),
          DecaySchedule.momentumAnnealing(0.001),
          DecaySchedule.linear(0, 0.999, 1000),
          DecaySchedule.cosine(0, 0.999, 1000),
          DecaySchedule.piecewise(Map.of(1L, 0.9, 10L, 0.99, 2000L, 0.999)),
          DecaySchedule.halfLife(100),
          DecaySchedule.edm2Ramp(100),
          DecaySchedule.uniformMean(),
          PowerFunction.ofGamma(6),
          DecaySchedule.constant(0.999).scaledBy(2).clampedTo(0.1, 0.9).delayedBy(3).zeroDebiased()
        }) {
      schedules.put(schedule.toString(), schedule);
    }
    return schedules;
  }

  static Stream<DecaySchedule> everySchedule() {
    return schedules().values().stream();
  }

  /** Some schedules call {@code StrictMath.pow}, which allocates on some JDKs. */
  @ParameterizedTest
  @MethodSource("everySchedule")
  void anUpdateAllocatesNothingButWhatTheScheduleDoes(DecaySchedule schedule) {
    StateDict<ArrayTensor> model = arrays(3, 100);
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(0).scheduled(schedule))
            .build(model)) {
      assertThat(allocatedBy(step(ema, model))).isLessThanOrEqualTo(allocatedBy(schedule));
    }
  }

  @ParameterizedTest
  @EnumSource(NonFiniteGuard.class)
  void anUpdateUnderAnyGuardAllocatesNothing(NonFiniteGuard guard) {
    StateDict<ArrayTensor> model = arrays(3, 100);
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).guard(guard).build(model)) {
      assertThat(allocatedBy(step(ema, model))).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void anUpdateOfAnyTypeAllocatesNothing(ElementType type) {
    EntryPolicy averageAll = EntryPolicy.defaults().with(Role.COUNTER, Treatment.AVERAGE);
    for (EntryPolicy policy : new EntryPolicy[] {EntryPolicy.defaults(), averageAll}) {
      for (AveragingRule rule : AveragingRule.values()) {
        StateDict<ArrayTensor> model = oneOf(type);
        try (ModelEma<StateDict<ArrayTensor>> ema =
            ModelEma.builder(ArrayBackend.adapter()).policy(policy).rule(rule).build(model)) {
          assertThat(allocatedBy(() -> ema.update(model))).as("%s, %s", rule, policy).isZero();
        }
      }
    }
  }

  @Test
  void anUpdateOfDirectMemoryAllocatesNothing() {
    DirectBackend backend = new DirectBackend();
    ModelAdapter<StateDict<FloatBuffer>, FloatBuffer> adapter = StateDict.adapter(backend);
    StateDict.Builder<FloatBuffer> builder = StateDict.builder(backend);
    for (int i = 0; i < 5; i++) {
      builder.parameter("w" + i, DirectBackend.make(10 + i));
    }
    StateDict<FloatBuffer> model = builder.build();
    try (ModelEma<StateDict<FloatBuffer>> ema = ModelEma.builder(adapter).build(model)) {
      assertThat(allocatedBy(() -> ema.update(model))).isZero();
    }
  }

  @Test
  void anUpdateOfTensorsInOneArrayAllocatesNothing() {
    StateDict.Builder<ArrayTensor> builder = Models.dict();
    float[] weights = new float[100];
    for (int i = 0; i < 10; i++) {
      builder.parameter(
          "w" + i,
          ArrayTensor.view(ElementType.F32, weights, 10 * i, new long[] {10}, new long[] {1}));
    }
    StateDict<ArrayTensor> model = builder.build();
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).build(model)) {
      assertThat(allocatedBy(() -> ema.update(model))).isZero();
    }
  }

  @Test
  void aCallBetweenUpdatesAllocatesNothing() {
    StateDict<ArrayTensor> model = arrays(3, 100);
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .timing(Timing.EVERY_STEP.withMicroSteps(3).withEvery(2))
            .build(model)) {
      assertThat(allocatedBy(() -> ema.update(model))).isZero();
    }
  }

  @Test
  void anUpdateOfABankAllocatesNothingButWhatTheSchedulesDo() {
    StateDict<ArrayTensor> model = arrays(3, 5000);
    EmaBank.Builder<StateDict<ArrayTensor>> builder = EmaBank.builder(ArrayBackend.adapter());
    schedules().forEach(builder::average);
    try (EmaBank<StateDict<ArrayTensor>> bank = builder.build(model)) {
      long bySchedules = everySchedule().mapToLong(AllocationTest::allocatedBy).sum();
      assertThat(allocatedBy(() -> bank.update(model))).isLessThanOrEqualTo(bySchedules);
    }
  }

  /**
   * Neither the caller's thread nor those that help allocate; the first updates make what stays.
   */
  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void anUpdateByThreadsAllocatesNothing(int threads) {
    System.setProperty("ema.threads", Integer.toString(threads));
    StateDict<ArrayTensor> model = arrays(4, 1 << 20);
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).build(model)) {
      assertThat(allocatedBy(() -> ema.update(model), 5)).isZero();
    }
  }

  /** Moves the model, as the canary would fall silent otherwise, and updates. */
  private static Runnable step(ModelEma<StateDict<ArrayTensor>> ema, StateDict<ArrayTensor> model) {
    float[] weights = Models.floats(model, "w0");
    return () -> {
      weights[0]++;
      ema.update(model);
    };
  }

  /** Returns how much the least of several batches of updates allocated, in all threads of ours. */
  private static long allocatedBy(Runnable update) {
    return allocatedBy(update, UPDATES);
  }

  private static long allocatedBy(DecaySchedule schedule) {
    return allocatedBy(() -> sink = schedule.decay(300, 1));
  }

  private static long allocatedBy(Runnable update, int updates) {
    long least = Long.MAX_VALUE;
    for (int batch = 0; batch < BATCHES; batch++) {
      long ofHelpers = allocatedByHelpers();
      long own = THREADS.getThreadAllocatedBytes(Thread.currentThread().getId());
      for (int i = 0; i < updates; i++) {
        update.run();
      }
      own = THREADS.getThreadAllocatedBytes(Thread.currentThread().getId()) - own;
      least = Math.min(least, own + allocatedByHelpers() - ofHelpers);
    }
    return least;
  }

  private static long allocatedByHelpers() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("ema-helper"))
        .mapToLong(thread -> THREADS.getThreadAllocatedBytes(thread.getId()))
        .sum();
  }

  private static StateDict<ArrayTensor> arrays(int count, int size) {
    StateDict.Builder<ArrayTensor> builder = Models.dict();
    for (int i = 0; i < count; i++) {
      builder.parameter("w" + i, ArrayTensor.of(new float[size + i], size + i));
    }
    return builder.build();
  }

  /** Returns a model of a type, one tensor of which has no neighbours. */
  private static StateDict<ArrayTensor> oneOf(ElementType type) {
    Object array =
        switch (type) {
          case F64 -> new double[40];
          case F32 -> new float[40];
          case I64 -> new long[40];
          case I32 -> new int[40];
          case F16, BF16, I16 -> new short[40];
          case I8, U8, BOOL -> new byte[40];
        };
    ArrayTensor row = ArrayTensor.view(type, array, 0, new long[] {10}, new long[] {1});
    ArrayTensor columns = ArrayTensor.view(type, array, 10, new long[] {3, 5}, new long[] {10, 2});
    Role role = type.isFloating() ? Role.PARAMETER : Role.COUNTER;
    return Models.dict().add("row", row, role).add("columns", columns, role).build();
  }

  /** Buffers outside the Java heap, as frameworks have them. */
  private static final class DirectBackend implements TensorBackend<FloatBuffer> {

    static FloatBuffer make(long elements) {
      return ByteBuffer.allocateDirect((int) elements * Float.BYTES)
          .order(ByteOrder.nativeOrder())
          .asFloatBuffer();
    }

    @Override
    public String name() {
      return "direct";
    }

    @Override
    public Class<FloatBuffer> tensorType() {
      return FloatBuffer.class;
    }

    @Override
    public TensorSpec describe(FloatBuffer tensor) {
      return TensorSpec.contiguous(ElementType.F32, tensor.capacity());
    }

    @Override
    public Storage storage(FloatBuffer tensor) {
      return new Storage(tensor, 0, (long) tensor.capacity() * Float.BYTES);
    }

    @Override
    public HostMemory memory(FloatBuffer tensor) {
      return HostMemory.of(tensor);
    }

    @Override
    public HostMemory memory(FloatBuffer tensor, HostMemory before) {
      return before;
    }

    @Override
    public List<FloatBuffer> allocate(List<TensorSpec> specs) {
      return specs.stream().map(spec -> make(spec.elements())).toList();
    }

    @Override
    public void release(List<FloatBuffer> tensors) {
      // The garbage collector frees them.
    }
  }
}
