package io.github.ema4j;

import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.lang.reflect.Array;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class NonFiniteGuardTest {
  private final StateDict<ArrayTensor> model =
      dict()
          .parameter("a", tensor(0, 0))
          .parameter("b", tensor(new float[3000]))
          .counter("n", ArrayTensor.of(new long[1], 1))
          .build();

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void failsBeforeAnythingIsWritten(float bad) {
    try (var average = halving(NonFiniteGuard.FAIL)) {
      floats(model, "a")[0] = 1;
      floats(model, "b")[2999] = bad;
      assertThatIllegalStateException()
          .isThrownBy(() -> average.update(model))
          .withMessageStartingWith("'b' of the model has NaN or infinity");
      assertThatIllegalStateException()
          .isThrownBy(
              () -> average.update(model, ArrayTensor.class, (e, m, d) -> floats(model)[0] = 9))
          .withMessageStartingWith("'b' of the model has NaN or infinity");
      assertThatIllegalStateException().isThrownBy(() -> average.set(model));
      assertThat(floats(average.state(), "a")).containsExactly(0, 0);
      assertThat(floats(model, "a")).containsExactly(1, 0);
      assertThat(average.progress()).isEqualTo(Progress.START);
    }
  }

  @Test
  void isTheDefault() {
    floats(model, "a")[1] = Float.NaN;
    assertThatIllegalStateException()
        .isThrownBy(() -> ModelEma.builder(ArrayBackend.adapter()).build(model))
        .withMessageStartingWith("'a' of the model has NaN or infinity");
  }

  @Test
  void skippedUpdatesAreCountedAndTheirTimeIsMadeUpFor() {
    try (var average = halving(NonFiniteGuard.SKIP)) {
      floats(model, "a")[0] = Float.NaN;
      average.update(model);
      average.update(model, 2);
      assertThat(average.progress()).isEqualTo(new Progress(0, 0, 3, 0, 2, Double.NaN, 1, 0));
      assertThat(floats(average.state(), "a")).containsExactly(0, 0);
      floats(model, "a")[0] = 1;
      average.update(model);
      assertThat(average.progress())
          .isEqualTo(new Progress(1, 4, 0, 0, 2, 0.0625, 0.0625, Math.log(0.0625)));
      assertThat(floats(average.state(), "a")).containsExactly(1 - 0.0625f, 0);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FAIL", "FAIL_ON_HOST", "SKIP"})
  void anAverageThatWouldStartFromSuchAModelFails(NonFiniteGuard guard) {
    floats(model, "a")[1] = Float.NaN;
    assertThatIllegalStateException().isThrownBy(() -> halving(guard));
    floats(model, "a")[1] = 0;
    try (var average = halving(guard)) {
      floats(model, "a")[1] = Float.NaN;
      assertThatIllegalStateException().isThrownBy(() -> average.set(model));
      assertThat(floats(average.state(), "a")).containsExactly(0, 0);
    }
  }

  @Test
  void acceptsWhatIsToBeAccepted() {
    try (var average = halving(NonFiniteGuard.ACCEPT)) {
      floats(model, "a")[0] = Float.NaN;
      average.update(model);
      assertThat(floats(average.state(), "a")).containsExactly(Float.NaN, 0);
    }
  }

  @Test
  void theLargestNumbersAreFinite() {
    try (var average = halving(NonFiniteGuard.FAIL)) {
      floats(model, "a")[0] = Float.MAX_VALUE;
      floats(model, "a")[1] = -Float.MAX_VALUE;
      assertThatCode(() -> average.update(model)).doesNotThrowAnyException();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"F64", "F16", "BF16"})
  void looksAtEveryFloatingType(ElementType type) {
    Object array =
        switch (type) {
          case F64 -> new double[] {0, Double.NEGATIVE_INFINITY};
          case F16 -> new short[] {0, (short) 0x7c00};
          default -> new short[] {0, 0x7f80};
        };
    StateDict<ArrayTensor> other = dict().parameter("w", ArrayTensor.of(type, array, 2)).build();
    assertThatIllegalStateException()
        .isThrownBy(() -> ModelEma.builder(ArrayBackend.adapter()).build(other))
        .withMessageStartingWith("'w' of the model has NaN or infinity");
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void whatWasFoundIsForgottenByTheNextUpdate(ElementType type) {
    Object array = type == ElementType.F64 ? new double[] {0, 0} : new float[] {0, 0};
    StateDict<ArrayTensor> other = dict().parameter("w", ArrayTensor.of(type, array, 2)).build();
    try (var average =
        ModelEma.builder(ArrayBackend.adapter()).guard(NonFiniteGuard.SKIP).build(other)) {
      Array.setFloat(array, 1, Float.NaN);
      average.update(other);
      assertThat(average.progress().skipped()).isEqualTo(1);
      Array.setFloat(array, 1, 1);
      average.update(other);
      assertThat(average.progress().updates()).isEqualTo(1);
    }
  }

  @Test
  void skippedEntriesAreNotLookedAt() {
    floats(model, "b")[0] = Float.NaN;
    EntryPolicy policy = EntryPolicy.defaults().with(NamePattern.glob("b"), Treatment.SKIP);
    assertThatCode(
            () -> ModelEma.builder(ArrayBackend.adapter()).policy(policy).build(model).close())
        .doesNotThrowAnyException();
  }

  private ModelEma<StateDict<ArrayTensor>> halving(NonFiniteGuard guard) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0.5))
        .guard(guard)
        .build(model);
  }
}
