package io.github.ema4j.benchmarks;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** An update of one tensor in an array that stays in the cache: the kernel's own time. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class UpdateBenchmark {
  private static final double DECAY = 0.9999;

  /** Where an average of what is held at zero ends. */
  private static final float SUBNORMAL = 0x1p-130f;

  /** What kind of model there is. */
  public enum Setting {
    /** Float32 without the guard. */
    FLOAT32,
    /** Bfloat16 with a float32 average, without the guard. */
    BFLOAT16,
    /** Float32 with the guard. */
    FLOAT32_GUARD,
    /** Float32 without the guard, a model of zeros and an average of subnormal numbers. */
    FLOAT32_SUBNORMAL,
    /** The same, where these are set to zero. */
    FLOAT32_FLUSHED
  }

  /** The value of {@code ema.kernel}. */
  @Param({"portable", "simd"})
  public String kernel = "";

  /** How long the tensor is. */
  @Param({"1000", "100000"})
  public int elements;

  /** Of what it is. */
  @Param public Setting setting = Setting.FLOAT32;

  private StateDict<ArrayTensor> model = StateDict.builder(ArrayBackend.instance()).build();

  @SuppressWarnings("NullAway.Init") // JMH calls start first
  private ModelEma<StateDict<ArrayTensor>> ema;

  /** Makes model and average. */
  @Setup
  public void start() {
    ElementType type = setting == Setting.BFLOAT16 ? ElementType.BF16 : ElementType.F32;
    List<ArrayTensor> tensors =
        ArrayBackend.instance().allocate(ModelShape.equal("", 1, elements).specs(type));
    fill(tensors.get(0), type, 1);
    model = Models.stateDict(ArrayBackend.instance(), tensors);
    ema =
        Kernel.valueOf(kernel.toUpperCase(Locale.ROOT))
            .with(
                1,
                () ->
                    ModelEma.builder(ArrayBackend.adapter())
                        .strategy(EmaStrategy.ordered(DECAY))
                        .guard(
                            setting == Setting.FLOAT32_GUARD
                                ? NonFiniteGuard.FAIL
                                : NonFiniteGuard.ACCEPT)
                        .flushSubnormals(setting == Setting.FLOAT32_FLUSHED)
                        .canary(false) // the model stays
                        .build(model));
    fill(tensors.get(0), type, 2); // the average has something to move towards
  }

  private void fill(ArrayTensor tensor, ElementType type, int seed) {
    if (setting == Setting.FLOAT32_SUBNORMAL || setting == Setting.FLOAT32_FLUSHED) {
      Arrays.fill((float[]) tensor.array(), seed == 1 ? SUBNORMAL : 0);
    } else {
      new Values(seed).fill(ArrayBackend.instance().memory(tensor), type, elements);
    }
  }

  /** Updates it once. */
  @Benchmark
  public void update() {
    ema.update(model);
  }

  /** Frees the average. */
  @TearDown
  public void stop() {
    ema.close();
  }
}
