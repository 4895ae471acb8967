package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.release;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.nio.FloatBuffer;
import java.nio.ReadOnlyBufferException;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Mistakes and mishaps that must not cost a user the average or the model. */
class RobustnessTest {

  @Test
  void aStateDictWithANameTwiceIsRefused() {
    ArrayTensor a = tensor(10);
    ArrayTensor b = tensor(20);
    StateDict.Entry<ArrayTensor> first = new StateDict.Entry<>("w", a, a.spec(), Role.PARAMETER);
    StateDict.Entry<ArrayTensor> second = new StateDict.Entry<>("w", b, b.spec(), Role.PARAMETER);
    StateDict<ArrayTensor> twice =
        new StateDict<>() {
          @Override
          public TensorBackend<ArrayTensor> backend() {
            return ArrayBackend.instance();
          }

          @Override
          public List<Entry<ArrayTensor>> entries() {
            return List.of(first, second);
          }
        };
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().build(twice))
        .withMessageContaining("the model has several entries named 'w'");
  }

  @Test
  void theAveragesOwnModuleIsNoModelToAverage() {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = halving(model)) {
      StateDict<ArrayTensor> module = average.module();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.update(module))
          .withMessage("the model is the average's own module; pass the model that is trained");
      assertThatIllegalArgumentException().isThrownBy(() -> average.set(module));
      assertThat(average.progress()).isEqualTo(Progress.START);
    }
  }

  @Test
  void oneCopyServesOneAverage() {
    StateDict<ArrayTensor> model = model("w", 1);
    ModelEma.Builder<StateDict<ArrayTensor>> builder = averaging().module(model("w", 2));
    try (var average = builder.build(model)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> builder.build(model))
          .withMessage("the copy given as module serves one average; give the next one its own");
      assertThat(floats(average.module())).containsExactly(1);
    }
  }

  @Test
  void aStateOfTheAveragesOwnTensorsUnderOtherNamesIsRefused() {
    StateDict<ArrayTensor> model =
        dict().parameter("a", tensor(1)).parameter("b", tensor(2)).build();
    try (var average = halving(model)) {
      List<? extends StateDict.Entry<?>> own = average.state().entries();
      StateDict<ArrayTensor> exchanged =
          dict()
              .parameter("a", (ArrayTensor) own.get(1).tensor())
              .parameter("b", (ArrayTensor) own.get(0).tensor())
              .build();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.load(exchanged))
          .withMessageContaining("shares memory");
      assertThat(floats(average.state(), "a")).containsExactly(1);
      assertThat(floats(average.state(), "b")).containsExactly(2);
    }
  }

  @Test
  void aSwapOfAModelThatWasClosedEndsWithOneError() {
    ArrayTensor weights = tensor(1);
    StateDict<ArrayTensor> model = dict().parameter("w", weights).build();
    try (var average = halving(model)) {
      Swap swap = average.swapInto(model);
      release(weights);
      assertThatIllegalStateException()
          .isThrownBy(swap::close)
          .withMessageStartingWith(
              "the model was closed during the swap, and its own weights are lost with it: ");
      assertThat(average.swapped()).isFalse();
      StateDict<ArrayTensor> next = model("w", 0);
      average.copyTo(next);
      assertThat(floats(next)).containsExactly(1);
    }
  }

  @Test
  void aSwapThatFailsHalfWayLeavesTheModelWithItsOwnWeights() {
    FailingBackend backend = new FailingBackend();
    StateDict<ArrayTensor> model =
        StateDict.builder(backend).parameter("a", tensor(1)).parameter("b", tensor(2)).build();
    try (var average =
        ModelEma.builder(StateDict.adapter(backend))
            .strategy(EmaStrategy.nameMatched(0.5))
            .build(model)) {
      ((float[]) model.entries().get(0).tensor().array())[0] = 3;
      backend.failing = model.entries().get(1).tensor();
      assertThatThrownBy(() -> average.swapInto(model)).isInstanceOf(ReadOnlyBufferException.class);
      assertThat((float[]) model.entries().get(0).tensor().array()).containsExactly(3);
      assertThat((float[]) model.entries().get(1).tensor().array()).containsExactly(2);
      assertThat(average.swapped()).isFalse();
      backend.failing = null;
      average.update(model);
    }
  }

  @Test
  void aRuleThatUsesTheAverageItselfIsRefusedAndUndone() {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = halving(model)) {
      floats(model)[0] = 3;
      assertThatIllegalStateException()
          .isThrownBy(
              () -> average.update(model, ArrayTensor.class, (e, m, d) -> average.update(model)))
          .withMessageStartingWith("cannot update the average while another call");
      assertThatIllegalStateException()
          .isThrownBy(
              () -> average.update(model, ArrayTensor.class, (e, m, d) -> average.swapInto(model)));
      assertThat(floats(average.state())).containsExactly(1);
      assertThat(average.progress()).isEqualTo(Progress.START);
      assertThat(average.swapped()).isFalse();
    }
  }

  @Test
  void whatIsMissingIsNamed() {
    assertThatNullPointerException().isThrownBy(() -> averaging().build(null)).withMessage("model");
    try (var average = halving(model("w", 1))) {
      assertThatNullPointerException().isThrownBy(() -> average.update(null)).withMessage("model");
      assertThatNullPointerException()
          .isThrownBy(() -> average.update(model("w", 1), ArrayTensor.class, null))
          .withMessage("rule");
    }
  }

  @Test
  void whatFailsToCloseDoesNotKeepTheRestOpen() {
    AtomicInteger released = new AtomicInteger();
    FailingBackend backend = new FailingBackend();
    backend.releases = released;
    StateDict<ArrayTensor> model = StateDict.builder(backend).parameter("a", tensor(1)).build();
    ModelEma<StateDict<ArrayTensor>> average =
        ModelEma.builder(StateDict.adapter(backend)).build(model);
    average.swapInto(model).close();
    assertThatIllegalStateException()
        .isThrownBy(average::close)
        .withMessage("release 1")
        .satisfies(failure -> assertThat(failure.getSuppressed()).hasSize(1));
    assertThat(released).hasValue(2);
    average.close();
    assertThat(released).hasValue(2);
  }

  @Test
  void aRestoreThatFailsCanBeTriedAgain() {
    FailingBackend backend = new FailingBackend();
    StateDict<ArrayTensor> model = StateDict.builder(backend).parameter("a", tensor(1)).build();
    try (var average = ModelEma.builder(StateDict.adapter(backend)).build(model)) {
      ArrayTensor weights = model.entries().get(0).tensor();
      ((float[]) weights.array())[0] = 3;
      Swap swap = average.swapInto(model);
      backend.failing = weights;
      assertThatThrownBy(swap::close).isInstanceOf(ReadOnlyBufferException.class);
      assertThat(average.swapped()).isTrue();
      backend.failing = null;
      swap.close();
      assertThat((float[]) weights.array()).containsExactly(3);
    }
  }

  @Test
  void aMoveThatFailsLeavesNothingAllocated() {
    HandleBackend handles = new HandleBackend();
    StateDict<HandleBackend.Handle> model =
        StateDict.builder(handles).parameter("w", HandleBackend.handle(1)).build();
    try (var average = ModelEma.builder(handles.adapter()).build(model)) {
      assertThatThrownBy(() -> average.to(Device.parse("cuda:0")))
          .isInstanceOf(UnsupportedOperationException.class);
      assertThat(handles.live()).isEqualTo(1);
    }
  }

  @Test
  void aStateThatMovedIsReadWhereItIsNow() {
    Models.Changing state = new Models.Changing().with("w", tensor(5));
    try (var average = halving(model("w", 1))) {
      average.load(state);
      state.with("w", tensor(7));
      average.load(state);
      assertThat(floats(average.state())).containsExactly(7);
    }
  }

  @Test
  void viewsOfModelsAreClosed() {
    AtomicInteger open = new AtomicInteger();
    ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter = new CountingAdapter(open);
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = ModelEma.builder(adapter).guard(NonFiniteGuard.ACCEPT).build(model)) {
      assertThat(open).hasValue(1);
      average.update(model("w", 2));
      average.update(model);
      assertThat(open).as("of three models in turn").hasValue(1);
      assertThatIllegalArgumentException().isThrownBy(() -> average.update(model("v", 2)));
      assertThat(open).hasValue(1);
    }
    assertThat(open).hasValue(0);
  }

  @Test
  void theViewOfAModuleThatIsRefusedIsClosed() {
    AtomicInteger open = new AtomicInteger();
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average =
        ModelEma.builder(new CountingAdapter(open))
            .module(() -> dict().parameter("w", model.entries().get(0).tensor()).build())
            .build(model)) {
      int before = open.get();
      assertThatIllegalArgumentException()
          .isThrownBy(average::module)
          .withMessageContaining("shares memory");
      assertThat(open).hasValue(before);
    }
  }

  @Test
  void aModuleTakesSkippedEntriesFromTheModelLastAveraged() {
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    StateDict<ArrayTensor> first =
        dict().parameter("w", tensor(1)).statistic("mean", tensor(10)).build();
    StateDict<ArrayTensor> second =
        dict().parameter("w", tensor(1)).statistic("mean", tensor(20)).build();
    try (var average = averaging().policy(policy).build(first)) {
      average.update(second);
      assertThat(floats(average.module(), "mean")).containsExactly(20);
    }
  }

  /** Arrays whose views are counted for as long as they are open. */
  private record CountingAdapter(AtomicInteger open)
      implements ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> {

    @Override
    public TensorBackend<ArrayTensor> backend() {
      return ArrayBackend.instance();
    }

    @Override
    public StateDict<ArrayTensor> stateDict(StateDict<ArrayTensor> model) {
      open.incrementAndGet();
      return new OwnedStateDict<>(
          backend(), ImmutableList.copyOf(model.entries()), open::decrementAndGet);
    }

    @Override
    public StateDict<ArrayTensor> copy(StateDict<ArrayTensor> model) {
      return ArrayBackend.adapter().copy(model);
    }

    @Override
    public void evaluationMode(StateDict<ArrayTensor> copy) {}

    @Override
    public void releaseCopy(StateDict<ArrayTensor> copy) {
      ArrayBackend.adapter().releaseCopy(copy);
    }
  }

  /** Arrays of which one cannot be written, and that may refuse to be released. */
  private static final class FailingBackend implements TensorBackend<ArrayTensor> {
    private final ArrayBackend arrays = ArrayBackend.instance();
    private ArrayTensor failing;
    private AtomicInteger releases;

    @Override
    public String name() {
      return "failing";
    }

    @Override
    public Class<ArrayTensor> tensorType() {
      return ArrayTensor.class;
    }

    @Override
    public TensorSpec describe(ArrayTensor tensor) {
      return arrays.describe(tensor);
    }

    @Override
    public Storage storage(ArrayTensor tensor) {
      return arrays.storage(tensor);
    }

    @Override
    public HostMemory memory(ArrayTensor tensor) {
      return tensor == failing
          ? HostMemory.of(FloatBuffer.wrap((float[]) tensor.array()).asReadOnlyBuffer())
          : arrays.memory(tensor);
    }

    @Override
    public List<ArrayTensor> allocate(List<TensorSpec> specs) {
      return arrays.allocate(specs);
    }

    @Override
    public void release(List<ArrayTensor> tensors) {
      if (releases != null) {
        throw new IllegalStateException("release " + releases.incrementAndGet());
      }
      arrays.release(tensors);
    }
  }
}
