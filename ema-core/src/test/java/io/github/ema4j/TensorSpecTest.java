package io.github.ema4j;

import static io.github.ema4j.ElementType.F32;
import static io.github.ema4j.ElementType.F64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.primitives.ImmutableLongArray;
import org.junit.jupiter.api.Test;

class TensorSpecTest {

  @Test
  void aContiguousTensorIsRowMajorInHostMemory() {
    TensorSpec spec = TensorSpec.contiguous(F32, 2, 3, 4);
    assertThat(spec.strides().asList()).containsExactly(12L, 4L, 1L);
    assertThat(spec.device()).isEqualTo(Device.CPU);
    assertThat(spec.elements()).isEqualTo(24);
    assertThat(spec.bytes()).isEqualTo(96);
    assertThat(spec.extent()).isEqualTo(24);
    assertThat(spec.isDense()).isTrue();
  }

  @Test
  void aZeroDimensionalTensorHasOneElement() {
    TensorSpec spec = TensorSpec.contiguous(F32);
    assertThat(spec.elements()).isEqualTo(1);
    assertThat(spec.extent()).isEqualTo(1);
    assertThat(spec.isDense()).isTrue();
  }

  @Test
  void anEmptyTensorTakesNoRoomWhateverItsStrides() {
    TensorSpec spec = spec(of(3, 0, 5), of(0, 99, 0));
    assertThat(spec.elements()).isZero();
    assertThat(spec.extent()).isZero();
    assertThat(spec.isNonOverlapping()).isTrue();
    assertThat(spec.isDense()).isTrue();
  }

  @Test
  void anEmptyTensorMayHaveSizesWhoseProductOverflows() {
    assertThat(TensorSpec.contiguous(F32, 0, 1L << 40, 1L << 40).elements()).isZero();
    assertThat(TensorSpec.contiguous(F32, 0, 1L << 32, 1L << 31).elements()).isZero();
  }

  @Test
  void aTransposedTensorIsDense() {
    TensorSpec spec = spec(of(3, 4), of(1, 3));
    assertThat(spec.isNonOverlapping()).isTrue();
    assertThat(spec.isDense()).isTrue();
  }

  @Test
  void aSliceHasGaps() {
    TensorSpec spec = spec(of(3, 4), of(10, 1));
    assertThat(spec.extent()).isEqualTo(24);
    assertThat(spec.isNonOverlapping()).isTrue();
    assertThat(spec.isDense()).isFalse();
    assertThat(spec.withRowMajorStrides()).isEqualTo(TensorSpec.contiguous(F32, 3, 4));
  }

  @Test
  void anExpandedTensorOverlapsItself() {
    TensorSpec expanded = spec(of(3, 4), of(0, 1));
    assertThat(expanded.extent()).isEqualTo(4);
    assertThat(expanded.isNonOverlapping()).isFalse();
    assertThat(expanded.isDense()).isFalse();
    assertThat(spec(of(3, 4), of(3, 1)).isNonOverlapping()).isFalse();
  }

  @Test
  void asManyPlacesAsElementsAreNotYetDense() {
    assertThat(spec(of(2, 2), of(2, 1)).isDense()).isTrue();
    assertThat(spec(of(3, 2), of(2, 2)).extent()).isEqualTo(7);
    TensorSpec sixElementsInSixPlaces = spec(of(2, 3), of(1, 2));
    assertThat(sixElementsInSixPlaces.isDense()).isTrue();
    TensorSpec nineElementsInNinePlacesTwice = spec(of(3, 3), of(2, 2));
    assertThat(nineElementsInNinePlacesTwice.extent()).isEqualTo(9);
    assertThat(nineElementsInNinePlacesTwice.isDense()).isFalse();
  }

  @Test
  void stridesOfSingleElementsDoNotMatter() {
    assertThat(spec(of(1, 4, 1), of(0, 1, 77)).isDense()).isTrue();
  }

  @Test
  void typeAndDeviceAreReplacedAlone() {
    TensorSpec spec = spec(of(3, 4), of(1, 3));
    assertThat(spec.withType(F64)).isEqualTo(new TensorSpec(F64, of(3, 4), of(1, 3), Device.CPU));
    Device cuda = new Device("cuda", 1);
    assertThat(spec.withDevice(cuda)).isEqualTo(new TensorSpec(F32, of(3, 4), of(1, 3), cuda));
  }

  @Test
  void refusesANegativeSize() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TensorSpec.contiguous(F32, 2, -1))
        .withMessage("shape [2, -1] has a negative size");
  }

  @Test
  void refusesANegativeStride() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> spec(of(2, 3), of(-3, 1)))
        .withMessage("strides [-3, 1] have a negative stride");
  }

  @Test
  void refusesAStrideTooFew() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> spec(of(2, 3), of(1)))
        .withMessage("shape [2, 3] and strides [1] differ in length");
  }

  @Test
  void refusesMoreElementsThanALongCounts() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TensorSpec.contiguous(F32, 1L << 32, 1L << 31))
        .withMessage("shape [4294967296, 2147483648] has too many elements");
  }

  @Test
  void refusesASpanThatALongCannotCount() {
    for (long stride : new long[] {Long.MAX_VALUE, Long.MAX_VALUE / 2 + 1}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> spec(of(3), of(stride)))
          .withMessage("shape [3] with strides [%d] spans too many elements", stride);
    }
    assertThatIllegalArgumentException().isThrownBy(() -> spec(of(2), of(Long.MAX_VALUE)));
    assertThat(spec(of(2), of(Long.MAX_VALUE - 1)).extent()).isEqualTo(Long.MAX_VALUE);
  }

  private static TensorSpec spec(ImmutableLongArray shape, ImmutableLongArray strides) {
    return new TensorSpec(F32, shape, strides, Device.CPU);
  }

  private static ImmutableLongArray of(long... values) {
    return ImmutableLongArray.copyOf(values);
  }
}
