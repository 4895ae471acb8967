package io.github.ema4j.array;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ArrayTensorTest {

  static Object array(ElementType type, int length) {
    return switch (type) {
      case F64 -> new double[length];
      case F32 -> new float[length];
      case I64 -> new long[length];
      case I32 -> new int[length];
      case F16, BF16, I16 -> new short[length];
      case I8, U8, BOOL -> new byte[length];
    };
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void liesInTheArrayItself(ElementType type) {
    Object array = array(type, 6);
    ArrayTensor tensor = ArrayTensor.of(type, array, 2, 3);
    assertThat(tensor.array()).isSameAs(array);
    assertThat(tensor.offset()).isZero();
    assertThat(tensor.spec()).isEqualTo(TensorSpec.contiguous(type, 2, 3));
  }

  static Stream<Arguments> typedFactories() {
    return Stream.of(
        Arguments.of(ArrayTensor.of(new float[4], 2, 2), ElementType.F32),
        Arguments.of(ArrayTensor.of(new double[4], 2, 2), ElementType.F64),
        Arguments.of(ArrayTensor.of(new long[4], 2, 2), ElementType.I64));
  }

  @ParameterizedTest
  @MethodSource("typedFactories")
  void theCommonTypesNeedNotBeNamed(ArrayTensor tensor, ElementType type) {
    assertThat(tensor.spec()).isEqualTo(TensorSpec.contiguous(type, 2, 2));
  }

  @Test
  void noSizesMakeAZeroDimensionalTensor() {
    assertThat(ArrayTensor.of(new float[1]).spec().elements()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void refusesAnArrayOfAnotherKind(ElementType type) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ArrayTensor.of(type, new char[1], 1))
        .withMessage(
            "elements of type %s lie in a %s, but the array is a char[]",
            type, array(type, 1).getClass().getSimpleName());
  }

  @Test
  void refusesAShapeThatDoesNotFitTheArray() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ArrayTensor.of(new float[5], 2, 3))
        .withMessage("shape [2, 3] has 6 elements, but the array has 5");
  }

  @Test
  void aViewMayReachToTheLastElement() {
    ArrayTensor view = view(3, new long[] {2, 3}, new long[] {10, 2}, 18);
    assertThat(view.offset()).isEqualTo(3);
    assertThat(view.spec().extent()).isEqualTo(15);
  }

  @Test
  void refusesAViewThatLeavesTheArray() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> view(4, new long[] {2, 3}, new long[] {10, 2}, 18))
        .withMessage("a view of 15 elements' room at offset 4 leaves the array of length 18");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> view(-1, new long[] {1}, new long[] {1}, 18));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> view(2, new long[] {0}, new long[] {1}, 1));
  }

  @Test
  void refusesAViewSoWideThatItsEndOverflows() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> view(1, new long[] {2}, new long[] {Long.MAX_VALUE - 1}, 18))
        .withMessageContaining("leaves the array of length 18");
  }

  @Test
  void refusesAViewWhoseElementsShareMemory() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> view(0, new long[] {2, 3}, new long[] {0, 1}, 18))
        .withMessage(
            "shape [2, 3] with strides [0, 1] has elements that share memory; copy the view first");
  }

  @Test
  void aReleasedTensorHasNoArray() {
    ArrayTensor tensor = ArrayTensor.of(new float[1], 1);
    tensor.release();
    assertThatIllegalStateException()
        .isThrownBy(tensor::array)
        .withMessage("the tensor was released with the average that owned it");
  }

  private static ArrayTensor view(int offset, long[] shape, long[] strides, int length) {
    return ArrayTensor.view(ElementType.F32, new float[length], offset, shape, strides);
  }
}
