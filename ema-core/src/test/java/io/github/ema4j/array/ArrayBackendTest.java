package io.github.ema4j.array;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.nio.Buffer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ArrayBackendTest {

  private final ArrayBackend backend = ArrayBackend.instance();

  @Test
  void saysWhoItIs() {
    assertThat(backend.name()).isEqualTo("array");
    assertThat(backend.tensorType()).isEqualTo(ArrayTensor.class);
    assertThat(ArrayBackend.adapter().backend()).isSameAs(backend);
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void opensTheElementsOfAViewInPlace(ElementType type) {
    Object array = ArrayTensorTest.array(type, 20);
    ArrayTensor view = ArrayTensor.view(type, array, 5, new long[] {2, 3}, new long[] {4, 1});
    HostMemory memory = backend.memory(view);
    Buffer buffer = memory.segmentAt(0);
    assertThat(buffer.array()).isSameAs(array);
    assertThat(memory.indexAt(4)).isEqualTo(9);
    assertThat(memory.elements()).isGreaterThanOrEqualTo(view.spec().extent());
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void storageIsTheStretchOfTheArray(ElementType type) {
    Object array = ArrayTensorTest.array(type, 20);
    ArrayTensor view = ArrayTensor.view(type, array, 5, new long[] {2, 3}, new long[] {4, 1});
    Storage storage = backend.storage(view);
    assertThat(storage.space()).isSameAs(array);
    assertThat(storage.begin()).isEqualTo(5L * type.bytes());
    assertThat(storage.bytes()).isEqualTo(7L * type.bytes());
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void allocatesWhatIsWantedStridesIncluded(ElementType type) {
    TensorSpec transposed =
        new TensorSpec(type, ImmutableLongArray.of(2, 3), ImmutableLongArray.of(1, 2), Device.CPU);
    TensorSpec empty = TensorSpec.contiguous(type, 0, 3);
    List<ArrayTensor> tensors = backend.allocate(List.of(transposed, empty));
    assertThat(tensors).extracting(ArrayTensor::spec).containsExactly(transposed, empty);
    assertThat(tensors.get(0).array()).isNotSameAs(tensors.get(1).array());
  }

  @Test
  void refusesAnotherDevice() {
    TensorSpec wanted = TensorSpec.contiguous(ElementType.F32, 1).withDevice(new Device("cuda", 0));
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> backend.allocate(List.of(wanted)))
        .withMessage("Java arrays are on the cpu, but the tensor was wanted on cuda:0");
  }

  @Test
  void refusesMoreElementsThanAnArrayHolds() {
    TensorSpec wanted = TensorSpec.contiguous(ElementType.I8, 1L << 16, 1L << 16);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.allocate(List.of(wanted)))
        .withMessage("a Java array cannot hold the 4294967296 elements of shape [65536, 65536]");
  }

  @Test
  void releasedTensorsAreRefusedEverywhere() {
    ArrayTensor tensor = ArrayTensor.of(new float[1], 1);
    backend.release(List.of(tensor));
    assertThatIllegalStateException().isThrownBy(() -> backend.describe(tensor));
    assertThatIllegalStateException().isThrownBy(() -> backend.storage(tensor));
    assertThatIllegalStateException().isThrownBy(() -> backend.memory(tensor));
  }
}
