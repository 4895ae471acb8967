package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.names;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.array.ArrayTensor;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PairingTest {

  private final StateDict<ArrayTensor> pair =
      dict().parameter("a", tensor(0)).parameter("b", tensor(0)).build();

  @Test
  void namesPairInWhateverOrder() {
    try (var average = halving(pair)) {
      average.update(dict().parameter("b", tensor(2)).parameter("a", tensor(4)).build());
      assertThat(floats(average.state(), "a")).containsExactly(2);
      assertThat(floats(average.state(), "b")).containsExactly(1);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"module.", "_orig_mod.", "module._orig_mod."})
  void aModelMayBeWrappedLater(String prefix) {
    StateDict<ArrayTensor> wrapped =
        dict().parameter(prefix + "a", tensor(2)).parameter(prefix + "b", tensor(4)).build();
    try (var average = halving(pair);
        var ofWrapped = halving(wrapped)) {
      average.update(wrapped);
      assertThat(floats(average.state(), "b")).containsExactly(2);
      ofWrapped.update(pair);
      assertThat(floats(ofWrapped.state(), prefix + "b")).containsExactly(2);
    }
  }

  @Test
  void everyDifferenceIsInOneMessage() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("layer1.weight", ArrayTensor.of(new float[12], 3, 4))
            .parameter("layer1.bias", tensor(0))
            .parameter("gone", tensor(0))
            .parameter("lost", tensor(0))
            .build();
    StateDict<ArrayTensor> other =
        dict()
            .parameter("new", tensor(0))
            .parameter("layer1.weight", ArrayTensor.of(new float[12], 4, 3))
            .parameter("layer1.bias", ArrayTensor.of(new double[1], 1))
            .parameter("newer", tensor(0))
            .build();
    try (var average = halving(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(other))
          .withMessage(
              """
              average and model differ:
                shape mismatch for 'layer1.weight': average has [3, 4], model has [4, 3]
                type mismatch for 'layer1.bias': average has F32, model has F64
                'gone' is only in the average
                'lost' is only in the average
                'new' is only in the model
                'newer' is only in the model""");
    }
  }

  @Test
  void bothNamesAreToldWhereTheyDiffer() {
    try (var average = halving(model("w", 0))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model("module.w", 0, 0)))
          .withMessageContaining("shape mismatch for 'w' and 'module.w': average has [1]");
    }
  }

  @Test
  void skippedEntriesTakePartInPairing() {
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    StateDict<ArrayTensor> model =
        dict().parameter("w", tensor(0)).statistic("mean", tensor(0)).build();
    try (var average = averaging().policy(policy).build(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model("w", 0)))
          .withMessageContaining("'mean' is only in the average");
    }
  }

  @Test
  void positionsPairWhateverTheNames() {
    try (var average = ordered(pair)) {
      average.update(dict().parameter("b", tensor(2)).parameter("x", tensor(4)).build());
      assertThat(names(average.state())).containsExactly("a", "b");
      assertThat(floats(average.state(), "a")).containsExactly(1);
      assertThat(floats(average.state(), "b")).containsExactly(2);
    }
  }

  @Test
  void positionsNeverZipListsThatDiffer() {
    StateDict<ArrayTensor> other =
        dict()
            .parameter("a", tensor(0, 0))
            .parameter("y", ArrayTensor.of(new double[1], 1))
            .parameter("z", tensor(0))
            .build();
    try (var average = ordered(pair)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(other))
          .withMessage(
              """
              average and model differ:
                count mismatch: average has 2 entries, model has 3
                shape mismatch for 'a' at position 0: average has [1], model has [2]
                type mismatch for 'b' and 'y' at position 1: average has F32, model has F64
                'z' is only in the model""");
    }
    try (var average = ordered(other)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model("a", 0, 0)))
          .withMessage(
              """
              average and model differ:
                count mismatch: average has 3 entries, model has 1
                'y' is only in the average
                'z' is only in the average""");
    }
  }

  @Test
  void countsReadTheSameInEveryLocale() {
    StateDict.Builder<ArrayTensor> many = dict();
    for (int i = 0; i < 1_000; i++) {
      many.parameter("p" + i, tensor(0));
    }
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.GERMANY);
    try (var average = ordered(many.build())) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(pair))
          .withMessageContaining("count mismatch: average has 1,000 entries, model has 2");
    } finally {
      Locale.setDefault(before);
    }
  }

  private static ModelEma<StateDict<ArrayTensor>> ordered(StateDict<ArrayTensor> model) {
    return averaging().strategy(EmaStrategy.ordered(0.5)).build(model);
  }
}
