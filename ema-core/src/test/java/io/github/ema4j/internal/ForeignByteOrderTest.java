package io.github.ema4j.internal;

import static io.github.ema4j.ElementType.F32;
import static java.nio.ByteOrder.BIG_ENDIAN;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.RunKernel;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.junit.jupiter.api.Test;

/** Memory that a file of another machine was mapped into is core's own kernel's business. */
class ForeignByteOrderTest {
  private static final ByteOrder FOREIGN =
      ByteOrder.nativeOrder() == LITTLE_ENDIAN ? BIG_ENDIAN : LITTLE_ENDIAN;

  private final HostKernel kernel = new HostKernel(new NativeOrderKernel());

  @Test
  void aForeignModelIsAveragedByItsValues() {
    FloatBuffer averages = FloatBuffer.wrap(new float[] {0, 0});
    average(averages, floats(FOREIGN, 2, 4));
    assertThat(averages.array()).containsExactly(1, 2);
  }

  @Test
  void aForeignModelIsLookedAtByItsValues() {
    assertThat(isFinite(floats(FOREIGN, 2, 4))).isTrue();
    assertThat(isFinite(floats(FOREIGN, 2, Float.NaN))).isFalse();
  }

  @Test
  void aNativeModelIsLeftToTheOtherKernel() {
    FloatBuffer averages = FloatBuffer.wrap(new float[] {0, 0});
    average(averages, floats(ByteOrder.nativeOrder(), 2, 4));
    assertThat(averages.array()).containsExactly(-1, -1);
    assertThat(isFinite(floats(ByteOrder.nativeOrder(), 2, Float.NaN))).isTrue();
  }

  private void average(FloatBuffer averages, FloatBuffer models) {
    kernel.average(
        new HostMemory[] {HostMemory.of(averages)},
        F32,
        HostMemory.of(models),
        F32,
        KernelFixture.flat(2),
        Blend.of(AveragingRule.LERP, 0.5));
  }

  private boolean isFinite(FloatBuffer models) {
    return kernel.isFinite(HostMemory.of(models), F32, KernelFixture.flat(2));
  }

  private static FloatBuffer floats(ByteOrder order, float... values) {
    FloatBuffer floats =
        ByteBuffer.allocateDirect(values.length * Float.BYTES).order(order).asFloatBuffer();
    return floats.put(0, values);
  }

  /** Leaves a mark in place of an average, so that its work is told from core's. */
  private static final class NativeOrderKernel implements RunKernel<Buffer> {
    @Override
    public String name() {
      return "native-order";
    }

    @Override
    public boolean takes(ElementType averageType, ElementType modelType) {
      return true;
    }

    @Override
    public Buffer view(Buffer buffer) {
      return buffer;
    }

    @Override
    public void lerp(
        ElementType averageType,
        Buffer averages,
        int averageIndex,
        ElementType modelType,
        Buffer models,
        int modelIndex,
        int elements,
        double weight,
        boolean flush) {
      for (int i = 0; i < elements; i++) {
        ((FloatBuffer) averages).put(averageIndex + i, -1);
      }
    }

    @Override
    public void weightedSum(
        ElementType averageType,
        Buffer averages,
        int averageIndex,
        ElementType modelType,
        Buffer models,
        int modelIndex,
        int elements,
        double decay,
        double weight,
        boolean flush) {
      throw new AssertionError("the rule is lerp");
    }

    @Override
    public boolean isFinite(ElementType modelType, Buffer models, int modelIndex, int elements) {
      return true;
    }
  }
}
