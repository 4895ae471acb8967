package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class AverageListenerTest {
  private final float[] weights = {1};
  private final StateDict<ArrayTensor> model = dict().parameter("w", tensor(weights)).build();
  private final List<String> heard = new ArrayList<>();

  /** Writes down what it hears. */
  private class Note implements AverageListener {
    private final String name;
    @Nullable Average<?> average;

    Note(String name) {
      this.name = name;
    }

    @Override
    public void started(Average<?> started, EmaConfig config) {
      average = started;
      heard.add(name + " started " + config.strategy().schedule());
    }

    @Override
    public void updated(Average<?> updated, long nanos, Supplier<Drift> drift) {
      assertThat(updated).isSameAs(average);
      assertThat(nanos).isBetween(0L, 60_000_000_000L);
      heard.add(name + " updated " + updated.progress().updates() + " " + drift.get().total());
    }

    @Override
    public void closing(Average<?> closing, Supplier<Drift> drift) {
      assertThat(closing.state().entries()).as("still open").hasSize(1);
      heard.add(name + " closing " + drift.get().total());
    }
  }

  private ModelEma.Builder<StateDict<ArrayTensor>> heardAverage() {
    return averaging().strategy(EmaStrategy.nameMatched(0.5)).listener(new Note("a"));
  }

  @Test
  void startUpdatesAndEndAreHeardInTurn() {
    var average = heardAverage().listener(new Note("b")).build(model);
    weights[0] = 2;
    average.update(model); // to 1.5
    average.close();
    average.close();

    assertThat(heard)
        .containsExactly(
            "a started ConstantDecay[decay=0.5]",
            "b started ConstantDecay[decay=0.5]",
            "a updated 1 " + 0.5 / 1.5,
            "b updated 1 " + 0.5 / 1.5,
            "a closing " + 0.5 / 1.5,
            "b closing " + 0.5 / 1.5);
  }

  @Test
  void everyKindOfUpdateIsHeardButNoneThatWasNotDue() {
    try (var average = heardAverage().timing(new Timing(Clock.STEPS, 2, 1)).build(model)) {
      heard.clear();
      average.update(model);
      assertThat(heard).isEmpty();
      average.update(model);
      average.update(model, 2);
      average.update(model);
      average.update(model, ArrayTensor.class, (to, from, decay) -> {});
      assertThat(heard).containsExactly("a updated 1 0.0", "a updated 2 0.0", "a updated 3 0.0");
      heard.clear();
    }
  }

  @Test
  void whatIsSkippedOrFailsIsNotHeard() {
    try (var average = heardAverage().guard(NonFiniteGuard.SKIP).build(model)) {
      heard.clear();
      weights[0] = Float.NaN;
      average.update(model);
      assertThat(average.progress().skipped()).isEqualTo(1);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(dict().parameter("v", tensor(1)).build()));
      assertThat(heard).isEmpty();
      weights[0] = 1;
    }
  }

  @Test
  @SuppressWarnings("try") // the swap is open for as long as it is not closed
  void aCloseThatIsRefusedIsNotHeard() {
    var average = heardAverage().build(model);
    heard.clear();
    try (Swap swap = average.swapInto(model)) {
      assertThatIllegalStateException().isThrownBy(average::close);
    }
    assertThat(heard).isEmpty();
    average.close();
    assertThat(heard).containsExactly("a closing 0.0");
  }

  /** Fails when it hears of something. */
  private record Failing(String when) implements AverageListener {
    @Override
    public void started(Average<?> average, EmaConfig config) {
      fail("started");
    }

    @Override
    public void updated(Average<?> average, long nanos, Supplier<Drift> drift) {
      fail("updated");
    }

    @Override
    public void closing(Average<?> average, Supplier<Drift> drift) {
      fail("closing");
    }

    private void fail(String now) {
      if (now.equals(when)) {
        throw new UnsupportedOperationException(now);
      }
    }
  }

  @Test
  void aListenerThatFailsUndoesNothing() {
    var average = heardAverage().listener(new Failing("updated")).build(model);
    weights[0] = 3;
    assertThatThrownBy(() -> average.update(model)).hasMessage("updated");
    assertThat(Models.floats(average.state())).containsExactly(2);
    assertThat(average.progress().updates()).isEqualTo(1);
    average.close();

    var other = heardAverage().listener(new Failing("closing")).build(model);
    assertThatThrownBy(other::close).hasMessage("closing");
    assertThatIllegalStateException().as("it is closed").isThrownBy(other::state);
  }

  @Test
  void anAverageWhoseListenerFailsAtTheStartIsNotLeft() {
    FarBackend backend = new FarBackend();
    StateDict<FarBackend.Far> far =
        StateDict.builder(backend).parameter("w", FarBackend.far(tensor(1))).build();
    assertThatThrownBy(
            () ->
                ModelEma.builder(StateDict.adapter(backend))
                    .listener(new Failing("started"))
                    .build(far))
        .hasMessage("started");
    assertThat(backend.live()).isZero();
  }

  @Test
  void listenersNeedNotListen() {
    AverageListener deaf = new AverageListener() {};
    try (var average = ModelEma.builder(ArrayBackend.adapter()).listener(deaf).build(model)) {
      average.update(model);
      assertThat(average.progress().updates()).isEqualTo(1);
    }
  }
}
