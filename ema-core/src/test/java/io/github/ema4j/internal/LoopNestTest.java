package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.ImmutableLongArray;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LoopNestTest {

  @Test
  void equalDenseLayoutsAreOneRun() {
    assertThat(runs(nest(of(3, 4, 5), of(20, 5, 1), of(20, 5, 1)))).containsExactly("0 0 60 1 1");
  }

  @Test
  void equalDenseLayoutsInFortranOrderAreOneRun() {
    assertThat(runs(nest(of(3, 4), of(1, 3), of(1, 3)))).containsExactly("0 0 12 1 1");
  }

  @Test
  void aTransposedSideIsWalkedInTheOrderOfTheOneThatIsWritten() {
    assertThat(runs(nest(of(2, 3), of(3, 1), of(1, 2)))).containsExactly("0 0 3 1 2", "3 1 3 1 2");
  }

  @Test
  void aSliceIsARunForEachRow() {
    assertThat(runs(nest(of(2, 3), of(3, 1), of(10, 1))))
        .containsExactly("0 0 3 1 1", "3 10 3 1 1");
  }

  @Test
  void onlyNeighbouringDimensionsThatBothSidesAllowAreJoined() {
    LoopNest nest = nest(of(2, 3, 4), of(12, 4, 1), of(100, 4, 1));
    assertThat(nest.sizes()).isEqualTo(of(2, 12));
    assertThat(nest.left()).isEqualTo(of(12, 1));
    assertThat(nest.right()).isEqualTo(of(100, 1));
  }

  @Test
  void dimensionsOfOneElementAreLeftOutWhateverTheirStrides() {
    assertThat(runs(nest(of(1, 4, 1), of(99, 1, 0), of(7, 1, 50)))).containsExactly("0 0 4 1 1");
  }

  @Test
  void aZeroDimensionalTensorIsOneElement() {
    assertThat(runs(nest(of(), of(), of()))).containsExactly("0 0 1 1 1");
  }

  @Test
  void anEmptyTensorHasNoElementsToVisit() {
    assertThat(runs(nest(of(3, 0, 2), of(0, 2, 1), of(9, 9, 9)))).containsExactly("0 0 0 1 1");
  }

  private static LoopNest nest(
      ImmutableLongArray shape, ImmutableLongArray left, ImmutableLongArray right) {
    return LoopNest.over(shape, left, right);
  }

  private static ImmutableLongArray of(long... values) {
    return ImmutableLongArray.copyOf(values);
  }

  private static List<String> runs(LoopNest nest) {
    List<String> runs = new ArrayList<>();
    nest.forEachRun(
        (leftOffset, rightOffset, elements, leftStride, rightStride) ->
            runs.add(
                "%d %d %d %d %d"
                    .formatted(leftOffset, rightOffset, elements, leftStride, rightStride)));
    return runs;
  }

  @Test
  void theLongestLoopIsInnermostWhereTheRunsWouldBeShort() {
    LoopNest nest =
        LoopNest.over(
            ImmutableLongArray.of(1000, 2),
            ImmutableLongArray.of(4, 1),
            ImmutableLongArray.of(2, 1));
    assertThat(nest.sizes().toArray()).containsExactly(2, 1000);
    assertThat(nest.left().toArray()).containsExactly(1, 4);
    assertThat(nest.right().toArray()).containsExactly(1, 2);
  }
}
