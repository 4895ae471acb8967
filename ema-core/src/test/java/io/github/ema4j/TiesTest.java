package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.entry;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TiesTest {

  private final ArrayTensor shared = tensor(0);
  private final StateDict<ArrayTensor> tied =
      dict()
          .parameter("embedding", shared)
          .parameter("other", tensor(0))
          .parameter("head", shared)
          .build();

  @Test
  void tiedEntriesAreUpdatedOnce() {
    try (var average = halving(tied)) {
      floats(tied, "head")[0] = 1;
      average.update(tied);
      assertThat(floats(average.state(), "embedding")).containsExactly(0.5f);
      assertThat(floats(average.state(), "head")).containsExactly(0.5f);
      average.copyTo(tied, 0.5);
      assertThat(floats(tied, "embedding")).containsExactly(0.75f);
    }
  }

  @Test
  void theAverageIsTiedAsTheModelIs() {
    try (var average = halving(tied)) {
      assertThat(entry(average.state(), "head").tensor())
          .isSameAs(entry(average.state(), "embedding").tensor())
          .isNotSameAs(entry(average.state(), "other").tensor());
      assertThat(entry(average.module(), "head").tensor())
          .isSameAs(entry(average.module(), "embedding").tensor());
    }
  }

  @Test
  void viewsOfTheSameStretchAreTied() {
    float[] array = {9, 0, 0, 9};
    StateDict<ArrayTensor> model =
        dict().parameter("a", view(array, 1, 2)).parameter("b", view(array, 1, 2)).build();
    try (var average = halving(model)) {
      array[1] = 1;
      average.update(model);
      float[] averages = floats(average.state(), "b");
      assertThat(averages).isSameAs(floats(average.state(), "a")).containsExactly(0.5f, 0);
    }
  }

  @Test
  void aModelThatIsNoLongerTiedIsRefused() {
    StateDict<ArrayTensor> untied =
        dict()
            .parameter("embedding", tensor(1))
            .parameter("other", tensor(1))
            .parameter("head", tensor(1))
            .build();
    try (var average = halving(tied)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(untied))
          .withMessage(
              "'embedding' and 'head' are tied in the average but not in the model; tie them"
                  + " alike");
      assertThat(floats(average.state(), "head")).containsExactly(0);
      average.copyTo(untied);
      assertThat(floats(untied, "head")).containsExactly(0);
    }
  }

  @Test
  void anUntiedAverageDoesNotGoIntoATiedModel() {
    StateDict<ArrayTensor> untied =
        dict()
            .parameter("embedding", tensor(1))
            .parameter("other", tensor(1))
            .parameter("head", tensor(1))
            .build();
    try (var average = halving(untied)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.swapInto(tied))
          .withMessageContaining("tied in the model but not in the average");
      assertThat(average.swapped()).isFalse();
      average.update(tied);
      assertThat(floats(average.state(), "head")).containsExactly(0.5f);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"COPY", "SKIP"})
  void tiedEntriesThatThePolicyTreatsDifferentlyAreRefused(Treatment treatment) {
    StateDict<ArrayTensor> model =
        dict().parameter("weight", shared).statistic("mean", shared).build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, treatment);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().policy(policy).build(model))
        .withMessage(
            "'weight' and 'mean' are tied, but the policy says AVERAGE for one and %s for the"
                + " other",
            treatment);
  }

  @ParameterizedTest
  @EnumSource(Treatment.class)
  void tensorsThatShareAPartOfTheirMemoryAreRefused(Treatment treatment) {
    float[] array = new float[6];
    StateDict<ArrayTensor> model =
        dict().parameter("whole", view(array, 0, 6)).statistic("part", view(array, 4, 2)).build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, treatment);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().policy(policy).build(model))
        .withMessage(
            "'whole' and 'part' share memory, or lie interleaved in it, without being the same"
                + " tensor; clone one of them");
  }

  @Test
  void anAverageThatSharesMemoryWithItsModelIsRefused() {
    try (var average = halving(tied)) {
      StateDict.Builder<ArrayTensor> model = StateDict.builder(ArrayBackend.instance());
      average
          .state()
          .entries()
          .forEach(each -> model.parameter(each.name(), (ArrayTensor) each.tensor()));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(model.build()))
          .withMessage(
              "'embedding' of the average shares memory with 'embedding' of the model; each needs"
                  + " memory of its own");
    }
  }

  private static ArrayTensor view(float[] array, int offset, long size) {
    return ArrayTensor.view(ElementType.F32, array, offset, new long[] {size}, new long[] {1});
  }
}
