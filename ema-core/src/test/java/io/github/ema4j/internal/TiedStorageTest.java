package io.github.ema4j.internal;

import static io.github.ema4j.ElementType.F32;
import static io.github.ema4j.ElementType.I32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.internal.TiedStorage.Region;
import io.github.ema4j.spi.Storage;
import java.util.List;
import org.junit.jupiter.api.Test;

class TiedStorageTest {

  private final Object space = new Object();

  @Test
  void regionsApartAreTheirOwnFirst() {
    assertThat(ties(region("a", 0, 4), region("b", 16, 4), region("c", 32, 1)))
        .containsExactly(0, 1, 2);
  }

  @Test
  void theFirstOfTiedRegionsIsTheFirstInTheStateDictWhereverItLies() {
    assertThat(ties(region("a", 64, 4), region("b", 0, 4), region("c", 64, 4), region("d", 0, 4)))
        .containsExactly(0, 1, 0, 1);
  }

  @Test
  void regionsThatTouchDoNotOverlap() {
    assertThat(ties(region("a", 16, 4), region("b", 0, 4))).containsExactly(0, 1);
  }

  @Test
  void theSameBytesOfAnotherSpaceAreOther() {
    Region elsewhere = new Region("b", spec(4), new Storage(new Object(), 0, 16));
    assertThat(ties(region("a", 0, 4), elsewhere)).containsExactly(0, 1);
  }

  @Test
  void spacesAreComparedByIdentity() {
    Region a = new Region("a", spec(1), new Storage(List.of("x"), 0, 4));
    Region b = new Region("b", spec(1), new Storage(List.of("x").stream().toList(), 0, 4));
    assertThat(ties(a, b)).containsExactly(0, 1);
  }

  @Test
  void emptyRegionsShareNothingEvenInTheMiddleOfOthers() {
    assertThat(ties(region("a", 0, 4), region("b", 8, 0), region("c", 8, 0), region("d", 16, 4)))
        .containsExactly(0, 1, 2, 3);
  }

  @Test
  void aPartOfAnotherIsRefused() {
    assertRefused("whole", "part", region("whole", 0, 10), region("part", 4, 2));
  }

  @Test
  void aPartIsFoundBehindOthersThatLieInTheWhole() {
    assertRefused(
        "whole", "late", region("whole", 0, 100), region("empty", 8, 0), region("late", 200, 1));
    assertRefused("whole", "late", region("whole", 0, 10), region("late", 36, 9));
  }

  @Test
  void theSameBytesInAnotherShapeTypeOrOrderAreRefused() {
    Storage storage = new Storage(space, 0, 24);
    Region matrix = new Region("a", TensorSpec.contiguous(F32, 2, 3), storage);
    assertRefused("a", "b", matrix, new Region("b", TensorSpec.contiguous(F32, 6), storage));
    assertRefused("a", "b", matrix, new Region("b", TensorSpec.contiguous(I32, 2, 3), storage));
    TensorSpec transposed =
        new TensorSpec(F32, ImmutableLongArray.of(2, 3), ImmutableLongArray.of(1, 2), Device.CPU);
    assertRefused("a", "b", matrix, new Region("b", transposed, storage));
  }

  @Test
  void ownersApartShareNothing() {
    assertThatCode(
            () ->
                TiedStorage.checkApart(
                    "average",
                    List.of(region("a", 0, 4), region("b", 32, 4)),
                    "model",
                    List.of(region("a", 16, 4), region("b", 48, 4), region("c", 8, 0))))
        .doesNotThrowAnyException();
  }

  @Test
  void tiesWithinOneOwnerAreNoSharing() {
    assertThatCode(
            () ->
                TiedStorage.checkApart(
                    "average",
                    List.of(region("a", 0, 4), region("b", 0, 4)),
                    "model",
                    List.of(region("c", 16, 4), region("d", 16, 4))))
        .doesNotThrowAnyException();
  }

  @Test
  void sharingIsToldWithBothNamesWhicheverSideLiesFirst() {
    String message =
        "'w' of the average shares memory with 'v' of the model; each needs memory of its own";
    for (int shift = -4; shift <= 4; shift += 4) {
      Region first = region("w", 100, 4);
      Region second = region("v", 100 + shift, 4);
      assertThatIllegalArgumentException()
          .isThrownBy(
              () ->
                  TiedStorage.checkApart(
                      "average",
                      List.of(region("x", 0, 2), first),
                      "model",
                      List.of(second, region("y", 40, 2))))
          .withMessage(message);
    }
  }

  private void assertRefused(String first, String second, Region... regions) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ties(regions))
        .withMessage(
            "'%s' and '%s' share memory, or lie interleaved in it, without being the same"
                + " tensor; clone one of them",
            first, second);
  }

  private static int[] ties(Region... regions) {
    return TiedStorage.firstOfEach(List.of(regions));
  }

  private Region region(String name, long begin, long elements) {
    return new Region(name, spec(elements), new Storage(space, begin, elements * 4));
  }

  private static TensorSpec spec(long elements) {
    return TensorSpec.contiguous(F32, elements);
  }
}
