package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.pytorch.jni.JniUtils;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Swap;
import io.github.ema4j.UpdateRule;
import io.github.ema4j.djl.DjlAdapterTest.Holder;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.nio.FloatBuffer;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try") // swaps are open for as long as they are not closed
class DjlAverageTest {
  private static final double DECAY = 0.75;
  private static final UpdateRule<NDArray> RULE =
      (average, model, decay) -> average.muli(decay).addi(model.mul(1 - decay));

  private Model model;
  private Block block;

  @BeforeEach
  void open() {
    model = Nets.initialized(3);
    block = model.getBlock();
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static ModelEma.Builder<Block> builder() {
    return ModelEma.builder(DjlAdapter.instance()).strategy(EmaStrategy.nameMatched(DECAY));
  }

  private static void assertAverage(
      Map<String, float[]> average, Map<String, float[]> start, Map<String, float[]> model) {
    assertThat(average.keySet()).isEqualTo(start.keySet());
    average.forEach(
        (name, values) -> {
          for (int i = 0; i < values.length; i++) {
            double expected = DECAY * start.get(name)[i] + (1 - DECAY) * model.get(name)[i];
            assertThat((double) values[i]).as(name).isCloseTo(expected, within(1e-6));
          }
        });
  }

  private static void assertBits(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual).usingRecursiveComparison().isEqualTo(expected);
  }

  @Test
  void startsAsACopyInMemoryOfItsOwn() {
    try (ModelEma<Block> ema = builder().build(block)) {
      Map<String, float[]> start = Nets.weights(block);
      assertBits(Nets.values(ema.state()), start);
      Nets.shift(block, 1);
      assertBits(Nets.values(ema.state()), start);
    }
  }

  @Test
  void averagesInPlace() {
    try (ModelEma<Block> ema = builder().build(block)) {
      Map<String, float[]> start = Nets.weights(block);
      NDArray average = (NDArray) ema.state().entries().get(0).tensor();
      Nets.shift(block, 1);
      ema.update(block);

      assertAverage(Nets.values(ema.state()), start, Nets.weights(block));
      assertThat(ema.state().entries().get(0).tensor()).isSameAs(average);
      ((FloatBuffer) DjlBackend.instance().memory(average).segmentAt(0)).put(0, 42);
      assertThat(average.toFloatArray()[0]).isEqualTo(42);
    }
  }

  @Test
  void updatesTiedArraysOnce() {
    NDArray array = model.getNDManager().zeros(new Shape(3));
    Holder tied =
        new Holder(Holder.parameter("a", array), Holder.parameter("b", array.stopGradient()));
    try (ModelEma<Block> ema = builder().build(tied)) {
      array.set(new float[] {1, 2, 3});
      ema.update(tied);

      assertThat(Nets.values(ema.state()).get("a")).containsExactly(0.25f, 0.5f, 0.75f);
      assertThat(Nets.values(ema.state()).get("b")).containsExactly(0.25f, 0.5f, 0.75f);
    }
  }

  @Test
  void followsWeightsThatAreLoadedAnew() throws Exception {
    ByteArrayOutputStream saved = new ByteArrayOutputStream();
    block.saveParameters(new DataOutputStream(saved));
    try (ModelEma<Block> ema = builder().build(block)) {
      NDArray before = block.getParameters().get(0).getValue().getArray();
      block.loadParameters(
          model.getNDManager(), new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
      assertThat(block.getParameters().get(0).getValue().getArray()).isNotSameAs(before);
      Map<String, float[]> start = Nets.weights(block);
      Nets.shift(block, 1);
      ema.update(block);

      assertAverage(Nets.values(ema.state()), start, Nets.weights(block));
    }
  }

  @Test
  void countersAreCopied() {
    NDManager manager = model.getNDManager();
    NDArray steps = manager.zeros(new Shape(), DataType.INT64);
    Holder holder =
        new Holder(
            Holder.parameter("steps", steps),
            Holder.parameter("weight", manager.zeros(new Shape(2))));
    try (ModelEma<Block> ema = builder().build(holder)) {
      steps.set(new long[] {(1L << 53) + 1});
      ema.update(holder);
      assertThat(((NDArray) ema.state().entries().get(0).tensor()).toLongArray())
          .containsExactly((1L << 53) + 1);
    }
  }

  @Test
  void averagesHalfPrecisionInFloat32AndSwapsItBackExactly() {
    Block half = Nets.network();
    half.initialize(model.getNDManager(), DataType.FLOAT16, Nets.INPUT);
    NDArray weight = half.getParameters().get("01Linear_weight").getArray();
    assertThat(weight.getDataType()).isEqualTo(DataType.FLOAT16);
    float[] start = floats(weight);
    try (ModelEma<Block> ema = builder().strategy(EmaStrategy.nameMatched(0.9999)).build(half)) {
      assertThat(ema.state().entries())
          .extracting(entry -> entry.spec().type())
          .containsOnly(ElementType.F32);
      try (NDManager scratch = model.getNDManager().newSubManager()) {
        NDArray ones = scratch.ones(weight.getShape(), DataType.FLOAT16);
        ones.copyTo(weight);
      }
      for (int i = 0; i < 100; i++) {
        ema.update(half);
      }

      float[] average = Nets.values(ema.state()).get("01Linear_weight");
      double kept = Math.pow(0.9999, 100);
      for (int i = 0; i < start.length; i++) {
        assertThat((double) average[i]).isCloseTo(kept * start[i] + (1 - kept), within(1e-5));
      }
      try (Swap swap = ema.swapInto(half)) {
        assertThat(floats(weight)[0]).isCloseTo(average[0], within(1e-3f));
      }
      assertThat(floats(weight)).containsOnly(1);
    }
  }

  private static float[] floats(NDArray halves) {
    try (NDArray wide = halves.toType(DataType.FLOAT32, true)) {
      return wide.toFloatArray();
    }
  }

  @Test
  void aRuleUpdatesInPlaceOnAnyThreadAndLeavesNothingBehind() throws InterruptedException {
    try (ModelEma<Block> ema = builder().build(block)) {
      Runnable check =
          () -> {
            boolean[] recorded = new boolean[1];
            UpdateRule<NDArray> rule =
                (average, weights, decay) -> {
                  NDArray part = weights.mul(1 - decay);
                  recorded[0] |= Nets.isRecorded(part);
                  average.muli(decay).addi(part);
                };
            ema.update(block, NDArray.class, rule); // allocates what a failure is undone from
            int open = Nets.openArrays();
            for (int i = 0; i < 20; i++) {
              Map<String, float[]> start = Nets.values(ema.state());
              Nets.shift(block, 0.1f);
              ema.update(block, NDArray.class, rule);
              assertAverage(Nets.values(ema.state()), start, Nets.weights(block));
            }
            assertThat(recorded[0]).as("gradient recorded").isFalse();
            assertThat(Nets.openArrays()).isEqualTo(open);
            for (Entry<?> entry : ema.state().entries()) {
              assertThat(Nets.isRecorded((NDArray) entry.tensor())).as(entry.name()).isFalse();
            }
          };
      check.run();
      Nets.onAnotherThread(
          () -> {
            assertThat(JniUtils.isGradMode()).isTrue();
            check.run();
          });
    }
  }

  @Test
  void whatAnyThreadDoesWithAnAverageRecordsNothingAndLeavesNothingBehind()
      throws InterruptedException {
    try (ModelEma<Block> ema = builder().module(Nets::network).build(block)) {
      Runnable use =
          () -> {
            Nets.shift(block, 0.1f);
            ema.update(block);
            ema.swapInto(block).close();
            ema.copyTo(block, 0.5);
            ema.module();
          };
      use.run();
      int open = Nets.openArrays();
      Nets.onAnotherThread(
          () -> {
            assertThat(JniUtils.isGradMode()).isTrue();
            for (int i = 0; i < 20; i++) {
              use.run();
            }
            for (Entry<?> entry : ema.state().entries()) {
              assertThat(Nets.isRecorded((NDArray) entry.tensor())).as(entry.name()).isFalse();
            }
          });
      assertThat(Nets.openArrays()).isEqualTo(open);
    }
  }

  @Test
  void aRuleThatFailsChangesNothing() {
    try (ModelEma<Block> ema = builder().build(block)) {
      Nets.shift(block, 1);
      ema.update(block);
      Map<String, float[]> average = Nets.values(ema.state());
      Map<String, float[]> weights = Nets.weights(block);
      int[] calls = new int[1];

      assertThatThrownBy(
              () ->
                  ema.update(
                      block,
                      NDArray.class,
                      (e, m, decay) -> {
                        RULE.apply(e, m, decay);
                        if (++calls[0] == 3) {
                          throw new ArithmeticException("third entry");
                        }
                      }))
          .hasMessage("third entry");
      assertBits(Nets.values(ema.state()), average);
      assertBits(Nets.weights(block), weights);
      assertThat(ema.progress().updates()).isEqualTo(1);
    }
  }

  @Test
  void thousandsOfUpdatesAndSwapsKeepNothingOpen() {
    String before = Nets.owned();
    try (ModelEma<Block> ema = builder().module(Nets::network).build(block)) {
      Runnable use =
          () -> {
            ema.update(block);
            ema.update(block, NDArray.class, RULE);
            ema.swapInto(block).close();
            ema.module();
          };
      use.run();
      int open = Nets.openArrays();
      for (int i = 0; i < 3000; i++) {
        ema.update(block);
      }
      for (int i = 0; i < 200; i++) {
        use.run();
      }
      assertThat(Nets.openArrays()).isEqualTo(open);
    }
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void outlivesTheModelAndTheScopesOfTheUser() {
    String before = Nets.owned();
    ModelEma<Block> ema;
    Map<String, float[]> average;
    try (Model shortLived = Nets.initialized(4)) {
      try (NDScope scope = new NDScope()) {
        scope.suppressNotUsedWarning();
        ema = builder().build(shortLived.getBlock());
        ema.swapInto(shortLived.getBlock()).close();
      }
      ema.swapInto(shortLived.getBlock()).close();
      average = Nets.values(ema.state());
    }
    assertBits(Nets.values(ema.state()), average);
    assertThatThrownBy(() -> ema.update(Nets.network())).isInstanceOf(IllegalStateException.class);
    ema.close();
    assertThat(Nets.owned()).isEqualTo(before);
  }

  @Test
  void namesTheWeightThatWasClosed() {
    try (ModelEma<Block> ema = builder().build(block)) {
      block.getParameters().get("02BatchNorm_gamma").getArray().close();
      Map<String, float[]> average = Nets.values(ema.state());

      assertThatThrownBy(() -> ema.update(block))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("'02BatchNorm_gamma'");
      assertBits(Nets.values(ema.state()), average);
    }
  }

  @Test
  void moduleAnswersAsTheSwappedModelDoes() {
    try (ModelEma<Block> ema = builder().module(Nets::network).build(block)) {
      Nets.shift(block, 0.2f);
      ema.update(block);
      float[] swapped;
      try (Swap swap = ema.swapInto(block)) {
        swapped = Nets.answers(block);
      }
      Block module = ema.module();

      assertThat(Nets.answers(module)).isEqualTo(swapped).isNotEqualTo(Nets.answers(block));
      assertThat(module).isNotSameAs(block);
      assertThat(module.getParameters().values()).noneMatch(Parameter::requiresGradient);
      assertThat(block.getParameters().get(0).getValue().requiresGradient()).isTrue();
      Nets.shift(block, 0.2f);
      ema.update(block);
      assertThat(ema.module()).isSameAs(module);
      assertThat(Nets.answers(module)).isNotEqualTo(swapped);
    }
  }

  @Test
  void moduleWithoutASupplierSaysHowToPassOne() {
    try (ModelEma<Block> ema = builder().build(block)) {
      assertThatThrownBy(ema::module)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining(".module(() -> newNetwork())");
    }
  }

  @Test
  void refusesTheTrainedBlockAsModuleAndLeavesItAsItIs() {
    SequentialBlock wrapper = new SequentialBlock();
    ((SequentialBlock) block).getChildren().values().forEach(wrapper::add);
    Map<String, float[]> weights = Nets.weights(block);
    for (Block supplied : new Block[] {block, wrapper}) {
      try (ModelEma<Block> ema = builder().module(() -> supplied).build(block)) {
        assertThatThrownBy(ema::module).isInstanceOf(IllegalArgumentException.class);
        assertThat(block.getParameters().get(0).getValue().requiresGradient()).isTrue();
        assertBits(Nets.weights(block), weights);
      }
      assertBits(Nets.weights(block), weights);
    }
  }

  @Test
  void refusesAModuleOfAnotherArchitectureAndFreesWhatItHadMadeForIt() {
    Block other = Nets.network().add(Nets.network());
    try (ModelEma<Block> ema = builder().module(() -> other).build(block)) {
      String started = Nets.owned();
      assertThatThrownBy(ema::module)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("is only in the module");
      assertThat(Nets.owned()).isEqualTo(started);
    }
  }

  @Test
  void takesAModuleThatTheUserOwns() {
    try (Model other = Nets.initialized(9);
        ModelEma<Block> ema = builder().module(other.getBlock()).build(block)) {
      assertThat(Nets.answers(ema.module())).isEqualTo(Nets.answers(block));
      ema.close();
      assertThat(other.getBlock().getParameters().values())
          .noneMatch(parameter -> parameter.getArray().isReleased());
    }
  }

  @Test
  void theViewDiesWithTheAverage() {
    ModelEma<Block> ema = builder().build(block);
    NDArray average = (NDArray) ema.state().entries().get(0).tensor();
    ema.close();
    assertThat(average.isReleased()).isTrue();
  }
}
