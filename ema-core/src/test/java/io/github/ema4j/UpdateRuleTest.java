package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.longs;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.array.ArrayTensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class UpdateRuleTest {

  @Test
  void theRuleWritesTheAverageInPlaceWithTheSchedulesDecay() {
    StateDict<ArrayTensor> model = model("w", 3);
    try (var average = halving(model)) {
      List<Double> decays = new ArrayList<>();
      average.update(
          model,
          ArrayTensor.class,
          (e, m, decay) -> {
            decays.add(decay);
            ((float[]) e.array())[0] += 10 * ((float[]) m.array())[0];
          });
      assertThat(floats(average.state())).containsExactly(33);
      assertThat(decays).containsExactly(0.5);
      assertThat(average.progress())
          .isEqualTo(new Progress(1, 1, 0, 0, 0, 0.5, 0.5, Math.log(0.5)));
    }
  }

  @Test
  void theRuleIsForAveragedEntriesAndCopiedOnesAreCopied() {
    StateDict<ArrayTensor> model =
        dict()
            .counter("n", ArrayTensor.of(new long[] {1}))
            .parameter("w", tensor(1))
            .statistic("mean", tensor(1))
            .build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    try (var average = averaging().policy(policy).build(model)) {
      longs(model, "n")[0] = 2;
      List<ArrayTensor> seen = new ArrayList<>();
      average.update(model, ArrayTensor.class, (e, m, decay) -> seen.add(m));
      assertThat(seen).containsExactly(model.entries().get(1).tensor());
      assertThat(longs(average.state(), "n")).containsExactly(2);
    }
  }

  @Test
  void tiedEntriesMeetTheRuleOnce() {
    ArrayTensor shared = tensor(1);
    StateDict<ArrayTensor> model = dict().parameter("a", shared).parameter("b", shared).build();
    try (var average = halving(model)) {
      average.update(model, ArrayTensor.class, (e, m, decay) -> ((float[]) e.array())[0] += 1);
      assertThat(floats(average.state(), "b")).containsExactly(2);
    }
  }

  @Test
  void aRuleForAnySupertypeOfTheTensorsWillDo() {
    StateDict<ArrayTensor> model = model("w", 3);
    try (var average = halving(model)) {
      average.update(
          model, Object.class, (e, m, decay) -> ((float[]) ((ArrayTensor) e).array())[0] = 1);
      assertThat(floats(average.state())).containsExactly(1);
    }
  }

  @Test
  void aRuleForOtherTensorsIsRefused() {
    StateDict<ArrayTensor> model = model("w", 3);
    try (var average = halving(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model, String.class, (e, m, decay) -> {}))
          .withMessage(
              "the rule is for java.lang.String, but the tensors of backend 'array' are"
                  + " io.github.ema4j.array.ArrayTensor");
      assertThat(average.progress().updates()).isZero();
    }
  }
}
