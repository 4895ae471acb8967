package io.github.ema4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import java.nio.FloatBuffer;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try") // scopes and guards are open for as long as they are not closed
class TorchBackendTest {
  private static final TorchBackend BACKEND = TorchBackend.instance();

  private static Tensor range(long... shape) {
    long elements = 1;
    for (long size : shape) {
      elements *= size;
    }
    return torch.arange(new Scalar(elements)).to(ScalarType.Float).reshape(shape);
  }

  @Test
  void typesAreTold() {
    assertThat(BACKEND.describe(Nets.tensor(ScalarType.Double)).type()).isEqualTo(ElementType.F64);
    assertThat(BACKEND.describe(Nets.tensor(ScalarType.Char)).type()).isEqualTo(ElementType.I8);
    assertThat(BACKEND.describe(Nets.tensor(ScalarType.Byte)).type()).isEqualTo(ElementType.U8);
    assertThat(BACKEND.describe(Nets.tensor(ScalarType.Short)).type()).isEqualTo(ElementType.I16);
    assertThat(BACKEND.describe(Nets.tensor(ScalarType.Bool)).type()).isEqualTo(ElementType.BOOL);
  }

  @Test
  void viewsAreAveragedInPlace() {
    Tensor base = range(4, 6);
    Tensor columns = base.t().slice(0, new LongOptional(1), last(), 2);
    Tensor average = torch.zeros(3, 4);
    assertThat(BACKEND.describe(columns).strides()).isEqualTo(ImmutableLongArray.of(2, 6));
    try (StateDict<Tensor> start = StateDict.builder(BACKEND).parameter("view", average).build();
        ModelEma<StateDict<Tensor>> ema =
            ModelEma.builder(StateDict.adapter(BACKEND))
                .strategy(EmaStrategy.ordered(0.5))
                .build(start);
        StateDict<Tensor> model = StateDict.builder(BACKEND).parameter("view", columns).build()) {
      ema.update(model);
      ema.copyTo(model);
    }
    assertThat(Nets.floats(base))
        .containsExactly(
            0, .5f, 2, 1.5f, 4, 2.5f, 6, 3.5f, 8, 4.5f, 10, 5.5f, 12, 6.5f, 14, 7.5f, 16, 8.5f, 18,
            9.5f, 20, 10.5f, 22, 11.5f);
  }

  private static LongOptional last() {
    return new LongOptional();
  }

  @Test
  void memoryIsTheTensorsOwnAndReachesToTheEndOfWhatItIsAViewOf() {
    Tensor base = range(5, 4);
    Tensor row = base.select(0, 3);
    HostMemory memory = BACKEND.memory(row);
    assertThat(memory.elements()).isEqualTo(8);
    assertThat(((FloatBuffer) memory.segmentAt(0)).get(0)).isEqualTo(12);
    ((FloatBuffer) memory.segmentAt(0)).put(1, -1);
    assertThat(row.get(1).item_float()).isEqualTo(-1);
  }

  @Test
  void whatIsAboveTheLimitOfABufferIsSplit() {
    Tensor tensor = range(10);
    HostMemory memory = new TorchBackend(16).memory(tensor);
    assertThat(memory.elements()).isEqualTo(10);
    for (int i = 0; i < 10; i++) {
      assertThat(((FloatBuffer) memory.segmentAt(i)).get(memory.indexAt(i))).isEqualTo(i);
      assertThat(memory.remainingAt(i)).isEqualTo(4 - i % 4);
    }
  }

  @Test
  void emptyAndZeroDimensionalTensorsHaveMemory() {
    assertThat(BACKEND.memory(torch.zeros(0, 3)).elements()).isZero();
    assertThat(BACKEND.storage(torch.zeros(0, 3)).bytes()).isZero();
    Tensor scalar = torch.ones(new long[0]);
    assertThat(BACKEND.describe(scalar).shape().length()).isZero();
    assertThat(((FloatBuffer) BACKEND.memory(scalar).segmentAt(0)).get(0)).isEqualTo(1);
  }

  private static void assertRefused(Tensor tensor, String... words) {
    assertThatThrownBy(() -> BACKEND.describe(tensor))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContainingAll(words);
  }

  @Test
  void whatHasNoStridedMemoryIsRefused() {
    Tensor complex = torch.zeros(new long[] {3}, new TensorOptions(ScalarType.ComplexFloat));
    assertRefused(complex, "type ComplexFloat cannot be averaged", "Float");
    assertRefused(torch.imag(torch.conj(complex)), "resolve_neg()");
    assertRefused(
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, ScalarType.QInt8), "type QInt8 cannot");
    assertRefused(torch.ones(3).to_sparse(), "layout Sparse cannot", "to_dense()");
    assertRefused(torch.ones(3, 3).to_mkldnn(), "layout Mkldnn cannot", "to_dense()");
    assertRefused(
        torch.empty_strided(
            new long[] {2},
            new long[] {1},
            new TensorOptions(new org.bytedeco.pytorch.Device("meta"))),
        "on the meta device");
  }

  @Test
  void expandedTensorsAreRefusedAsTheirElementsShareMemory() {
    StateDict<Tensor> model =
        StateDict.builder(BACKEND).parameter("bias", torch.ones(1).expand(new long[] {3})).build();
    assertThatThrownBy(
            () ->
                ModelEma.builder(StateDict.adapter(BACKEND))
                    .strategy(EmaStrategy.ordered(0.5))
                    .build(model))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'bias' of the model has elements that share memory");
  }

  @Test
  void closedAndUndefinedTensorsAreRefused() {
    Tensor closed = torch.ones(1);
    closed.close();
    assertThatThrownBy(() -> BACKEND.describe(closed))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> BACKEND.memory(closed)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> BACKEND.memory(new Tensor()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("undefined");
  }

  private static TensorSpec vector(Device device) {
    return TensorSpec.contiguous(ElementType.F32, 3).withDevice(device);
  }

  @Test
  void aDeviceThatIsNotHereIsRefusedAndNothingStaysAllocated() {
    assumeTrue(!torch.cuda_is_available(), "there is a CUDA device");
    long before = Pointer.totalCount();
    for (String device : List.of("cuda:0", "meta", "mps")) {
      assertThatThrownBy(
              () -> BACKEND.allocate(List.of(vector(Device.CPU), vector(Device.parse(device)))))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("cannot keep an average on " + Device.parse(device))
          .hasMessageContaining("org.bytedeco:cuda")
          .hasMessageNotContaining("frame #0");
    }
    assertThat(Pointer.totalCount()).isEqualTo(before);
  }

  @Test
  void whatIsAllocatedOutlivesScopesAndCanBeWrittenAfterInferenceMode() {
    List<Tensor> tensors;
    try (PointerScope scope = new PointerScope();
        InferenceMode inference = new InferenceMode(true)) {
      tensors = BACKEND.allocate(List.of(vector(Device.CPU)));
    }
    assertThat(GradMode.is_enabled()).isTrue();
    Tensor tensor = tensors.get(0);
    assertThat(tensor.is_inference()).isFalse();
    assertThat(tensor.requires_grad()).isFalse();
    BACKEND.copy(tensors, List.of(torch.ones(3)));
    assertThat(Nets.floats(tensor)).containsExactly(1, 1, 1);
    BACKEND.release(tensors);
    assertThat(tensor.isNull()).isTrue();
  }

  @Test
  void workWithoutGradientsLeavesTheThreadAsItWas() {
    for (boolean inference : new boolean[] {false, true}) {
      try (InferenceMode mode = new InferenceMode(inference)) {
        long before = Pointer.totalCount();
        BACKEND.withoutGradient(
            () -> {
              assertThat(GradMode.is_enabled()).isFalse();
              assertThat(InferenceMode.is_enabled()).isFalse();
              assertThat(torch.ones(3).add(torch.ones(3)).is_inference()).isFalse();
            });
        assertThat(InferenceMode.is_enabled()).isEqualTo(inference);
        assertThat(GradMode.is_enabled()).isEqualTo(!inference);
        assertThat(Pointer.totalCount()).isEqualTo(before);
      }
    }
    assertThatThrownBy(
            () ->
                BACKEND.withoutGradient(
                    () -> {
                      throw new IllegalArgumentException("work");
                    }))
        .hasMessage("work");
    assertThat(GradMode.is_enabled()).isTrue();
  }
}
