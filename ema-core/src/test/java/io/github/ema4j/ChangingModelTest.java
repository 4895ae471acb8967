package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.release;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.Models.Changing;
import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Models whose tensors are replaced while they are averaged. */
class ChangingModelTest {

  private final ArrayTensor first = tensor(0);
  private final Changing model = new Changing().with("w", first);

  @Test
  void movedTensorsAreFollowed() {
    try (var average = halving(model)) {
      average.update(model);
      model.with("w", tensor(4));
      release(first);
      average.update(model);
      assertThat(floats(average.state())).containsExactly(2);
      average.copyTo(model);
      assertThat(floats(model)).containsExactly(2);
      assertThat(floats(average.module())).containsExactly(2);
    }
  }

  @Test
  void severalAveragesOfOneModelAllHearOfTheMove() {
    try (var one = halving(model);
        var two = halving(model)) {
      one.update(model);
      two.update(model);
      model.with("w", tensor(4));
      one.update(model);
      two.update(model);
      assertThat(floats(one.state())).containsExactly(2);
      assertThat(floats(two.state())).containsExactly(2);
    }
  }

  @Test
  void aMoveThatAnotherReaderSawFirstIsSeen() {
    try (var average = halving(model)) {
      average.update(model);
      model.with("w", tensor(4));
      assertThat(model.refresh()).isTrue();
      average.update(model);
      assertThat(floats(average.state())).containsExactly(2);
    }
  }

  @Test
  void aModelThatMovedBeforeTheStartIsTakenAsItIs() {
    assertThat(model.refresh()).isTrue();
    model.with("w", tensor(4));
    release(first);
    try (var average = halving(model)) {
      assertThat(floats(average.state())).containsExactly(4);
      model.with("w", tensor(6));
      assertThat(floats(average.module())).containsExactly(4);
    }
  }

  @Test
  void aChangedLayoutIsFollowed() {
    Changing matrix = new Changing().with("m", ArrayTensor.of(new float[4], 2, 2));
    try (var average = halving(matrix)) {
      average.update(matrix);
      matrix.with(
          "m",
          ArrayTensor.view(
              ElementType.F32, new float[] {2, 4, 6, 8}, 0, new long[] {2, 2}, new long[] {1, 2}));
      average.update(matrix);
      assertThat(floats(average.state())).containsExactly(1, 3, 2, 4);
    }
  }

  @Test
  void aChangedShapeIsRefusedUntilItIsUndone() {
    try (var average = halving(model)) {
      average.update(model);
      Progress before = average.progress();
      model.with("w", tensor(4, 4));
      for (int i = 0; i < 2; i++) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> average.update(model))
            .withMessageContaining("shape mismatch for 'w': average has [1], model has [2]");
      }
      assertThat(average.progress()).isEqualTo(before);
      model.with("w", tensor(4));
      average.update(model);
      assertThat(floats(average.state())).containsExactly(2);
    }
  }

  @Test
  void aNewEntryIsRefused() {
    try (var average = halving(model)) {
      average.update(model);
      model.with("v", tensor(1));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model))
          .withMessageContaining("'v' is only in the model");
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"AUTO", "MODEL"})
  void aChangedTypeIsRefusedWhereTheShadowTypeIsTheModels(ShadowType shadowType) {
    try (var average = averaging().shadowType(shadowType).build(model)) {
      average.update(model);
      model.with("w", ArrayTensor.of(new double[1], 1));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model))
          .withMessageContaining("type mismatch for 'w': average has F32, model has F64");
    }
  }

  @Test
  void aChangedTypeIsFollowedWhereTheShadowTypeIsNamed() {
    try (var average =
        averaging()
            .strategy(EmaStrategy.nameMatched(0.5))
            .shadowType(ShadowType.F32)
            .build(model)) {
      average.update(model);
      model.with("w", ArrayTensor.of(new double[] {4}, 1));
      average.update(model);
      assertThat(floats(average.state())).containsExactly(2);
      model.with("w", ArrayTensor.of(ElementType.F16, new short[] {0x4000}, 1));
      average.update(model);
      assertThat(floats(average.state())).containsExactly(2);
      model.with("w", ArrayTensor.of(new long[] {4}, 1));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model))
          .withMessageContaining("type mismatch for 'w': average has F32, model has I64");
    }
  }

  @Test
  void otherModelsMayTakeTurns() {
    Changing other = new Changing().with("w", tensor(8));
    try (var average = halving(model)) {
      average.update(other);
      assertThat(floats(average.state())).containsExactly(4);
      average.update(model);
      assertThat(floats(average.state())).containsExactly(2);
    }
  }
}
