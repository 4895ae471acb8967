package io.github.ema4j.internal;

import static io.github.ema4j.ElementType.F32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a plan checks because a backend might not. */
class TensorPairsTest {

  private final float[] first = {1, 1};
  private final float[] second = {1, 1};

  @Test
  void tensorsWithElementsThatShareMemoryAreRefused() {
    TensorSpec expanded =
        new TensorSpec(F32, ImmutableLongArray.of(3, 2), ImmutableLongArray.of(0, 1), Device.CPU);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> pairs(tensors("average", expanded), tensors("model", expanded)))
        .withMessage(
            "'b' of the average has elements that share memory (shape [3, 2], strides [0, 1]);"
                + " clone it");
  }

  @Test
  void memoryThatIsTooSmallIsFoundBeforeAnythingIsWritten() {
    TensorSpec two = TensorSpec.contiguous(F32, 2);
    TensorSpec three = TensorSpec.contiguous(F32, 3);
    Tensors<ArrayTensor> models =
        new Tensors<>(
            "model", ArrayBackend.instance(), List.of(entry("a", two), entry("b", three)));
    TensorPairs<ArrayTensor, ArrayTensor> pairs = pairs(tensors("average", two), models);
    String message =
        "'b' of the model has room for 2 elements where shape [3] needs 3; was it resized?";
    assertThatIllegalArgumentException().isThrownBy(pairs::open).withMessage(message);
    assertThatIllegalArgumentException().isThrownBy(pairs::copy).withMessage(message);
    assertThat(first).containsExactly(1, 1);
    assertThat(second).containsExactly(1, 1);
  }

  private Tensors<ArrayTensor> tensors(String owner, TensorSpec spec) {
    Entry<ArrayTensor> a =
        new Entry<>("a", ArrayTensor.of(first, 2), TensorSpec.contiguous(F32, 2), Role.PARAMETER);
    Entry<ArrayTensor> b = new Entry<>("b", ArrayTensor.of(second, 2), spec, Role.PARAMETER);
    return new Tensors<>(owner, ArrayBackend.instance(), List.of(a, b));
  }

  private static Entry<ArrayTensor> entry(String name, TensorSpec spec) {
    return new Entry<>(name, ArrayTensor.of(new float[2], 2), spec, Role.PARAMETER);
  }

  private static TensorPairs<ArrayTensor, ArrayTensor> pairs(
      Tensors<ArrayTensor> left, Tensors<ArrayTensor> right) {
    return TensorPairs.of(
        left, right, Collections.nCopies(left.entries().size(), Treatment.AVERAGE));
  }
}
