package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.release;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.ema4j.array.ArrayTensor;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever goes wrong: average, model and progress are as they were. */
class FailedUpdateTest {

  private final AtomicReference<DecaySchedule> schedule =
      new AtomicReference<>(DecaySchedule.constant(0.5));
  private final ArrayTensor last = tensor(8);
  private final StateDict<ArrayTensor> model =
      dict().parameter("a", tensor(0)).statistic("b", tensor(0)).parameter("c", last).build();
  private final ModelEma<StateDict<ArrayTensor>> average =
      averaging()
          .strategy(
              EmaStrategy.nameMatched(0)
                  .scheduled((time, elapsed) -> schedule.get().decay(time, elapsed)))
          .policy(EntryPolicy.defaults().with(Role.STATISTIC, Treatment.COPY))
          .build(model);

  @AfterEach
  void close() {
    average.close();
  }

  @Test
  void whenTheModelsLastTensorIsReleased() {
    String message = "'c' of the model: the tensor was released with the average that owned it";
    assertUnchangedBy(
        () -> {
          release(last);
          assertThatIllegalStateException()
              .isThrownBy(() -> average.update(model))
              .withMessage(message);
          assertThatIllegalStateException()
              .isThrownBy(() -> average.set(model))
              .withMessage(message);
          assertThatIllegalStateException()
              .isThrownBy(() -> average.update(model, ArrayTensor.class, (e, m, d) -> {}))
              .withMessage(message);
        });
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 1.5, -0.1, Double.POSITIVE_INFINITY})
  void whenTheScheduleGivesNoDecay(double decay) {
    assertUnchangedBy(
        () -> {
          schedule.set((time, elapsed) -> decay);
          for (ThrowingCallable update :
              new ThrowingCallable[] {
                () -> average.update(model),
                () -> average.update(model, ArrayTensor.class, (e, m, d) -> {})
              }) {
            assertThatIllegalStateException()
                .isThrownBy(update)
                .withMessageMatching(
                    "the schedule .* gave decay "
                        + decay
                        + " at time 2, which is not in \\[0, 1\\]");
          }
        });
  }

  @Test
  void whenTheScheduleItselfThrows() {
    assertUnchangedBy(
        () -> {
          schedule.set(
              (time, elapsed) -> {
                throw new ArithmeticException("no decay today");
              });
          assertThatExceptionOfType(ArithmeticException.class)
              .isThrownBy(() -> average.update(model));
        });
  }

  @Test
  void whenTimeRunsOver() {
    assertUnchangedBy(
        () ->
            assertThatExceptionOfType(ArithmeticException.class)
                .isThrownBy(() -> average.update(model, Long.MAX_VALUE)));
  }

  @Test
  void whenTheModelDoesNotPair() {
    assertUnchangedBy(
        () -> assertThatIllegalArgumentException().isThrownBy(() -> average.update(model("a", 7))));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whenTheRuleThrowsInTheMiddle(boolean error) {
    Throwable thrown = error ? new AssertionError("stop") : new IllegalStateException("stop");
    assertUnchangedBy(
        () ->
            assertThat(
                    catchThrowable(
                        () ->
                            average.update(
                                model,
                                ArrayTensor.class,
                                (e, m, decay) -> {
                                  ((float[]) e.array())[0] = 99;
                                  if (m == last) {
                                    throwUnchecked(thrown);
                                  }
                                })))
                .isSameAs(thrown));
  }

  @Test
  void whenAnotherModelsTensorIsReleasedTheTrainedOneStaysTheTrainedOne() {
    ArrayTensor released = tensor(9);
    StateDict<ArrayTensor> other =
        dict().parameter("a", tensor(9)).statistic("b", tensor(9)).parameter("c", released).build();
    release(released);
    assertUnchangedBy(
        () -> assertThatIllegalStateException().isThrownBy(() -> average.update(other)));
    assertThat(floats(average.module(), "c")).containsExactly(8);
  }

  @Test
  void theNextUpdateGoesOnFromThere() {
    floats(model, "a")[0] = 4;
    schedule.set((time, elapsed) -> Double.NaN);
    assertThatIllegalStateException().isThrownBy(() -> average.update(model));
    schedule.set(DecaySchedule.constant(0.5));
    average.update(model);
    assertThat(floats(average.state(), "a")).containsExactly(2);
    assertThat(average.progress()).isEqualTo(new Progress(1, 1, 0, 0, 0, 0.5, 0.5, Math.log(0.5)));
  }

  private void assertUnchangedBy(Runnable failing) {
    average.update(model);
    floats(model, "a")[0] = 4;
    floats(model, "b")[0] = 5;
    Progress before = average.progress();
    failing.run();
    assertThat(floats(average.state(), "a")).containsExactly(0);
    assertThat(floats(average.state(), "b")).containsExactly(0);
    assertThat(floats(average.state(), "c")).containsExactly(8);
    assertThat(floats(model, "a")).containsExactly(4);
    assertThat(floats(model, "b")).containsExactly(5);
    assertThat(average.progress()).isEqualTo(before);
  }

  private static void throwUnchecked(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    throw (RuntimeException) thrown;
  }
}
