package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DjlAdapterTest {
  private final DjlAdapter adapter = DjlAdapter.instance();
  private Model model;
  private Block block;

  @BeforeEach
  void open() {
    model = Nets.initialized(1);
    block = model.getBlock();
  }

  @AfterEach
  void close() {
    model.close();
  }

  /** A block of given parameters that passes its input on. */
  static final class Holder extends AbstractBlock {
    Holder(Parameter... held) {
      for (Parameter parameter : held) {
        addParameter(parameter);
      }
    }

    static Parameter parameter(String name, NDArray array) {
      return Parameter.builder()
          .setName(name)
          .setType(Parameter.Type.OTHER)
          .optArray(array)
          .optRequiresGrad(array.getDataType().isFloating())
          .build();
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return inputs;
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }

  @Test
  void listsParametersInTheOrderOfTheBlockUnderItsNamesWithTheirRoles() {
    StateDict<NDArray> state = adapter.stateDict(block);

    assertThat(state.entries())
        .extracting(Entry::name, entry -> entry.spec().shape().toString(), Entry::role)
        .containsExactly(
            tuple("01Linear_weight", "[6, 5]", Role.PARAMETER),
            tuple("01Linear_bias", "[6]", Role.PARAMETER),
            tuple("02BatchNorm_gamma", "[6]", Role.PARAMETER),
            tuple("02BatchNorm_beta", "[6]", Role.PARAMETER),
            tuple("02BatchNorm_runningMean", "[6]", Role.STATISTIC),
            tuple("02BatchNorm_runningVar", "[6]", Role.STATISTIC),
            tuple("04Linear_weight", "[3, 6]", Role.PARAMETER),
            tuple("04Linear_bias", "[3]", Role.PARAMETER));
    assertThat(state.entries())
        .extracting(Entry::name)
        .containsExactlyElementsOf(block.getParameters().keys());
    assertThat(state.backend()).isSameAs(DjlBackend.instance());
  }

  @Test
  void entriesAreTheLiveArrays() {
    StateDict<NDArray> state = adapter.stateDict(block);

    for (Entry<NDArray> entry : state.entries()) {
      assertThat(entry.tensor()).isSameAs(block.getParameters().get(entry.name()).getArray());
    }
  }

  @Test
  void integersAreCountersAndFrozenParametersFrozen() {
    NDManager manager = model.getNDManager();
    Holder holder =
        new Holder(
            Holder.parameter("steps", manager.zeros(new Shape(), DataType.INT64)),
            Holder.parameter("mask", manager.zeros(new Shape(2), DataType.BOOLEAN)),
            Holder.parameter("weight", manager.zeros(new Shape(2))),
            Holder.parameter("fixed", manager.zeros(new Shape(2))));
    holder.getDirectParameters().get("fixed").freeze(true);

    assertThat(adapter.stateDict(holder).entries())
        .extracting(Entry::name, Entry::role)
        .containsExactly(
            tuple("steps", Role.COUNTER),
            tuple("mask", Role.COUNTER),
            tuple("weight", Role.PARAMETER),
            tuple("fixed", Role.FROZEN));
  }

  @Test
  void listsTheParametersOfABlockThatIsUsedTwiceOnce() {
    Block shared = Linear.builder().setUnits(5).build();
    SequentialBlock twice =
        new SequentialBlock().add(shared).add(Linear.builder().setUnits(5).build()).add(shared);
    twice.initialize(model.getNDManager(), DataType.FLOAT32, Nets.INPUT);

    assertThat(twice.getParameters().keys()).hasSize(6);
    assertThat(adapter.stateDict(twice).entries())
        .extracting(Entry::name)
        .containsExactly("01Linear_weight", "01Linear_bias", "02Linear_weight", "02Linear_bias");
  }

  @Test
  void refusesTwoParametersOfOneName() {
    NDManager manager = model.getNDManager();
    Block holding =
        new AbstractBlock() {
          {
            addParameter(Holder.parameter("01in_a", manager.zeros(new Shape(1))));
            addChildBlock("in", new Holder(Holder.parameter("a", manager.zeros(new Shape(1)))));
          }

          @Override
          protected NDList forwardInternal(
              ParameterStore store,
              NDList inputs,
              boolean training,
              PairList<String, Object> params) {
            return inputs;
          }

          @Override
          public Shape[] getOutputShapes(Shape[] inputShapes) {
            return inputShapes;
          }
        };

    assertThatThrownBy(() -> adapter.stateDict(holding))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("two parameters named '01in_a'");
  }

  @Test
  void namesTheParameterThatHasNoArrayYetAndHowToMakeIt() {
    assertThatThrownBy(() -> adapter.stateDict(Nets.network()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("'01Linear_weight'")
        .hasMessageContaining("trainer.initialize(...)")
        .hasMessageContaining("block.initialize(...)");
  }

  @Test
  void namesTheParameterThatIsClosed() {
    StateDict<NDArray> state = adapter.stateDict(block);
    block.getParameters().get("04Linear_weight").getArray().close();

    assertThatThrownBy(state::refresh)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("'04Linear_weight'")
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> adapter.stateDict(block))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("'04Linear_weight'");
  }

  @Test
  void namesTheParameterThatTheBackendRefuses() {
    NDArray view = model.getNDManager().ones(new Shape(2, 3)).transpose();

    assertThatThrownBy(() -> adapter.stateDict(new Holder(Holder.parameter("view", view))))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("'view'")
        .hasMessageContaining("not contiguous");
  }

  @Test
  void refreshSeesNothingWhereNothingMoved() {
    StateDict<NDArray> state = adapter.stateDict(block);
    List<Entry<NDArray>> before = state.entries();
    Nets.shift(block, 1);

    assertThat(state.refresh()).isFalse();
    assertThat(state.entries()).isSameAs(before);
  }

  @Test
  void refreshSeesArraysThatWereReplaced() {
    StateDict<NDArray> state = adapter.stateDict(block);
    Parameter parameter = block.getParameters().get("04Linear_bias");
    parameter.close();
    parameter.initialize(model.getNDManager(), DataType.FLOAT64);

    assertThat(state.refresh()).isTrue();
    assertThat(state.entries().get(7).tensor()).isSameAs(parameter.getArray());
    assertThat(state.entries().get(7).spec()).isEqualTo(TensorSpec.contiguous(ElementType.F64, 3));
    assertThat(state.refresh()).isFalse();
  }

  @Test
  void refreshSeesBlocksThatCameAndWent() {
    StateDict<NDArray> state = adapter.stateDict(block);
    ((SequentialBlock) block).removeLastBlock();

    assertThat(state.refresh()).isTrue();
    assertThat(state.entries()).hasSize(6);
    ((SequentialBlock) block).add(Linear.builder().setUnits(2).build());
    assertThatThrownBy(state::refresh)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("has no array yet");
    block.initialize(model.getNDManager(), DataType.FLOAT32, Nets.INPUT);
    assertThat(state.refresh()).isTrue();
    assertThat(state.entries()).hasSize(8);
  }

  @Test
  void aRefreshThatFailsChangesNothing() {
    StateDict<NDArray> state = adapter.stateDict(block);
    List<Entry<NDArray>> before = state.entries();
    NDArray view = model.getNDManager().ones(new Shape(2, 3)).transpose();
    ((SequentialBlock) block).add(new Holder(Holder.parameter("view", view)));

    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(state::refresh)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("'05Holder_view'");
      assertThat(state.entries()).isSameAs(before);
    }
    ((SequentialBlock) block).removeLastBlock();
    assertThat(state.refresh()).isFalse();
    assertThat(state.entries()).isSameAs(before);
  }

  @Test
  void freezingChangesTheRoleAndMovesNothing() {
    StateDict<NDArray> state = adapter.stateDict(block);
    block.getParameters().get("01Linear_bias").freeze(true);

    assertThat(state.refresh()).isFalse();
    assertThat(state.entries().get(1).role()).isEqualTo(Role.FROZEN);
    assertThat(state.entries().get(0).role()).isEqualTo(Role.PARAMETER);
    block.getParameters().get("01Linear_bias").freeze(false);
    assertThat(state.refresh()).isFalse();
    assertThat(state.entries().get(1).role()).isEqualTo(Role.PARAMETER);
  }

  @Test
  void copyRefusesAndShowsHowToPassASupplier() {
    assertThatThrownBy(() -> adapter.copy(block))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("ai.djl.nn.SequentialBlock")
        .hasMessageContaining("ModelEma.builder(DjlAdapter.instance()).module(() -> newNetwork())");
  }

  @Test
  void initializesACopyLikeTheModelAndFreesIt() {
    String before = Nets.owned();
    Block copy = Nets.network();
    try (NDScope scope = new NDScope()) {
      scope.suppressNotUsedWarning();
      adapter.initializeLike(copy, block);
    }
    adapter.evaluationMode(copy);

    assertThat(adapter.stateDict(copy).entries())
        .extracting(Entry::name, Entry::spec)
        .containsExactlyElementsOf(
            adapter.stateDict(block).entries().stream()
                .map(entry -> tuple(entry.name(), entry.spec()))
                .toList());
    assertThat(copy.getParameters().values())
        .noneMatch(Parameter::requiresGradient)
        .noneMatch(parameter -> parameter.getArray().hasGradient());
    adapter.releaseCopy(copy);
    assertThat(Nets.owned()).isEqualTo(before);
    assertThat(copy.getParameters().values()).noneMatch(Parameter::isInitialized);
    adapter.releaseCopy(copy);
  }

  @Test
  void initializesACopyInTheTypeOfTheModel() {
    Block wide = Nets.network();
    wide.initialize(model.getNDManager(), DataType.FLOAT64, Nets.INPUT);
    Block copy = Nets.network();
    adapter.initializeLike(copy, wide);

    assertThat(adapter.stateDict(copy).entries())
        .extracting(entry -> entry.spec().type())
        .containsOnly(ElementType.F64);
    adapter.releaseCopy(copy);
  }

  @Test
  void leavesTheWeightsOfACopyThatHasSomeAndFreesThem() {
    try (Model other = Nets.initialized(2)) {
      Block copy = other.getBlock();
      var before = Nets.weights(copy);
      List<NDArray> arrays =
          copy.getParameters().values().stream().map(Parameter::getArray).toList();
      adapter.initializeLike(copy, block);

      assertThat(Nets.weights(copy)).usingRecursiveComparison().isEqualTo(before);
      adapter.releaseCopy(copy);
      assertThat(arrays).allMatch(NDArray::isReleased);
    }
  }

  @Test
  void saysThatAModelWithoutInputShapesCannotInitializeACopy() {
    Holder loaded = new Holder(Holder.parameter("weight", model.getNDManager().ones(new Shape(2))));
    String before = Nets.owned();

    assertThatThrownBy(() -> adapter.initializeLike(Nets.network(), loaded))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("return a block that is initialised");
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void refusesACopyThatHoldsParametersOfTheModel() {
    SequentialBlock wrapper = new SequentialBlock().add(((SequentialBlock) block));

    assertThatThrownBy(() -> adapter.initializeLike(wrapper, block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'01SequentialBlock_01Linear_weight'")
        .hasMessageContaining("parameters of its own");
  }

  @Test
  void refusesACopyThatHoldsArraysOfTheModel() {
    NDArray array = model.getNDManager().ones(new Shape(2));
    Holder one = new Holder(Holder.parameter("a", array));
    Holder other = new Holder(Holder.parameter("b", array));

    assertThatThrownBy(() -> adapter.initializeLike(other, one))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'b'");
  }

  @Test
  void closesACopyThatCanBeClosed() throws Exception {
    class Closeable extends SequentialBlock implements AutoCloseable {
      boolean closed;

      @Override
      public void close() {
        closed = true;
      }
    }
    Closeable copy = new Closeable();
    copy.add(Linear.builder().setUnits(2).build());
    adapter.initializeLike(copy, block);
    adapter.releaseCopy(copy);

    assertThat(copy.closed).isTrue();
  }
}
