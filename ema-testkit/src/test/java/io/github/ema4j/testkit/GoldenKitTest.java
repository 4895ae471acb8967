package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.nio.FloatBuffer;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

/** The kit finds what is broken, and skips only what the backend says that it has not. */
class GoldenKitTest {

  /** Arrays whose memory is a copy: what is written is lost. */
  private static final class CopyingBackend implements TensorBackend<ArrayTensor> {
    private final ArrayBackend arrays = ArrayBackend.instance();

    @Override
    public String name() {
      return "copying";
    }

    @Override
    public Class<ArrayTensor> tensorType() {
      return ArrayTensor.class;
    }

    @Override
    public TensorSpec describe(ArrayTensor tensor) {
      return arrays.describe(tensor);
    }

    @Override
    public Storage storage(ArrayTensor tensor) {
      return arrays.storage(tensor);
    }

    @Override
    public HostMemory memory(ArrayTensor tensor) {
      return tensor.array() instanceof float[] values
          ? HostMemory.of(FloatBuffer.wrap(values.clone()))
          : arrays.memory(tensor);
    }

    @Override
    public List<ArrayTensor> allocate(List<TensorSpec> specs) {
      return arrays.allocate(specs);
    }

    @Override
    public void release(List<ArrayTensor> tensors) {
      arrays.release(tensors);
    }
  }

  /** Abstract, so that JUnit does not run it by itself. */
  private abstract static class Kit extends GoldenKit<StateDict<ArrayTensor>, ArrayTensor> {
    private final TensorBackend<ArrayTensor> backend;
    private final Set<Capability> capabilities;

    Kit(TensorBackend<ArrayTensor> backend, Set<Capability> capabilities) {
      this.backend = backend;
      this.capabilities = capabilities;
    }

    @Override
    protected BackendUnderTest<StateDict<ArrayTensor>, ArrayTensor> subject() {
      return new ArrayConformanceTest() {
        @Override
        public ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter() {
          return StateDict.adapter(backend);
        }

        @Override
        public Set<Capability> capabilities() {
          return capabilities;
        }
      };
    }
  }

  @Test
  void aBackendWhoseMemoryIsACopyFails() {
    Kit kit = new Kit(new CopyingBackend(), EnumSet.allOf(Capability.class)) {};

    assertThatThrownBy(() -> kit.averageHasTheBitsOfTimms(golden("v3-lerp")))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("'scale', element 0");
  }

  @Test
  void oneWrongBitFails() {
    Kit kit = new Kit(ArrayBackend.instance(), EnumSet.allOf(Capability.class)) {};
    GoldenCase wrong = golden("v2-decay-0.9999");
    float[] bias = (float[]) wrong.expected().entries().get(3).tensor().array();
    bias[2] = Math.nextUp(bias[2]);

    assertThatThrownBy(() -> kit.averageHasTheBitsOfTimms(wrong))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("'conv.bias', element 2");
  }

  @Test
  void aTypeThatTheBackendHasNotIsSkippedWithTheReason() {
    Kit kit = new Kit(ArrayBackend.instance(), EnumSet.of(Capability.F32, Capability.I64)) {};

    assertThatThrownBy(() -> kit.averageHasTheBitsOfTimms(golden("v2-bfloat16")))
        .isInstanceOf(TestAbortedException.class)
        .hasMessageContaining("has not declared BF16");
  }

  private static GoldenCase golden(String name) {
    return GoldenCases.shipped().stream()
        .filter(golden -> golden.name().equals(name))
        .findFirst()
        .orElseThrow();
  }
}
