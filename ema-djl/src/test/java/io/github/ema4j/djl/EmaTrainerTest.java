package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.initializer.ConstantInitializer;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@SuppressWarnings("try") // swaps are open for as long as they are not closed
class EmaTrainerTest {
  private static final double DECAY = 0.6;

  private Model model;
  private Block block;

  @BeforeEach
  void open() {
    model = Nets.initialized(5);
    block = model.getBlock();
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static ModelEma.Builder<Block> average() {
    return ModelEma.builder(DjlAdapter.instance())
        .strategy(EmaStrategy.nameMatched(DECAY))
        .module(Nets::network);
  }

  private static EmaTrainer trainer(Model model) {
    return new EmaTrainer(model, Nets.config(), average());
  }

  /** Averages the weights of each step by itself, in double, and compares. */
  private static final class Recomputing extends EmaTrainer {
    final Map<String, double[]> expected = new LinkedHashMap<>();
    final List<Map<String, float[]>> steps = new ArrayList<>();

    Recomputing(Model model) {
      super(model, Nets.config(), average());
    }

    @Override
    public void initialize(Shape... shapes) {
      super.initialize(shapes);
      Nets.weights(getModel().getBlock())
          .forEach((name, values) -> expected.put(name, doubles(values)));
    }

    @Override
    public void step() {
      super.step();
      Map<String, float[]> weights = Nets.weights(getModel().getBlock());
      steps.add(weights);
      Map<String, float[]> averages = Nets.values(ema().state());
      assertThat(averages.keySet()).isEqualTo(expected.keySet());
      expected.forEach(
          (name, average) -> {
            for (int i = 0; i < average.length; i++) {
              average[i] = DECAY * average[i] + (1 - DECAY) * weights.get(name)[i];
            }
            assertThat(doubles(averages.get(name)))
                .as("%s after step %s", name, steps.size())
                .containsExactly(average, within(1e-6));
          });
    }
  }

  @Test
  void followsEveryStepOfEasyTrain() throws Exception {
    try (Recomputing trainer = new Recomputing(model)) {
      trainer.initialize(Nets.INPUT);
      EasyTrain.fit(trainer, 2, Nets.data(trainer.getManager()), null);

      assertThat(trainer.steps).hasSize(8);
      assertThat(trainer.ema().progress().updates()).isEqualTo(8);
      for (String name : List.of("01Linear_weight", "02BatchNorm_runningMean")) {
        for (int i = 1; i < 8; i++) {
          assertThat(trainer.steps.get(i).get(name))
              .isNotEqualTo(trainer.steps.get(i - 1).get(name));
        }
      }
    }
  }

  @Test
  void addsTheTimeOfEachUpdateToTheMetrics() throws Exception {
    try (EmaTrainer trainer = trainer(model)) {
      trainer.setMetrics(new Metrics());
      trainer.initialize(Nets.INPUT);
      EasyTrain.fit(trainer, 1, Nets.data(trainer.getManager()), null);

      assertThat(trainer.getMetrics().getMetric("ema")).hasSize(4);
      assertThat(trainer.getMetrics().getMetric("step")).hasSize(4);
    }
  }

  private static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  @Test
  void djlTrainsTheVeryArraysOfTheParameters() throws Exception {
    try (EmaTrainer trainer = trainer(model)) {
      List<NDArray> before = arrays();
      trainer.initialize(Nets.INPUT);
      float[] weight = before.get(0).toFloatArray();
      Nets.step(trainer, Nets.batches(trainer, Nets.data(trainer.getManager())).next());

      List<NDArray> after = arrays();
      for (int i = 0; i < before.size(); i++) {
        assertThat(after.get(i)).isSameAs(before.get(i));
      }
      assertThat(after.get(0).toFloatArray()).isNotEqualTo(weight);
      NDList inputs = new NDList(Nets.inputs(trainer.getManager()));
      Nets.shift(block, 1);
      assertThat(trainer.evaluate(inputs).singletonOrThrow().toFloatArray())
          .isEqualTo(Nets.answers(block));
    }
  }

  private List<NDArray> arrays() {
    return block.getParameters().values().stream().map(Parameter::getArray).toList();
  }

  /** Trains for 6 steps and returns the weights after each; looks at the average in between. */
  private static List<Map<String, float[]>> train(boolean swapping) throws Exception {
    List<Map<String, float[]>> weights = new ArrayList<>();
    try (Model model = Nets.initialized(8);
        EmaTrainer trainer = trainer(model)) {
      trainer.initialize(Nets.INPUT);
      ArrayDataset data = Nets.data(trainer.getManager());
      Iterator<Batch> batches = Nets.batches(trainer, data);
      for (int i = 0; i < 4; i++) {
        Nets.step(trainer, batches.next());
        if (swapping) {
          Map<String, float[]> trained = Nets.weights(model.getBlock());
          try (Swap swap = trainer.ema().swapInto(model.getBlock())) {
            assertThat(Nets.values(trainer.ema().state()))
                .usingRecursiveComparison()
                .isEqualTo(Nets.weights(model.getBlock()));
            float[] evaluated =
                trainer
                    .evaluate(new NDList(Nets.inputs(trainer.getManager())))
                    .singletonOrThrow()
                    .toFloatArray();
            assertThat(evaluated).isEqualTo(Nets.answers(trainer.ema().module()));
          }
          assertThat(Nets.weights(model.getBlock())).usingRecursiveComparison().isEqualTo(trained);
        }
        weights.add(Nets.weights(model.getBlock()));
      }
    }
    return weights;
  }

  @Test
  void trainingGoesOnAfterASwapAsIfThereHadBeenNone() throws Exception {
    assertThat(train(true)).usingRecursiveComparison().isEqualTo(train(false));
  }

  @Test
  void weightsComeBackWhenEvaluationThrows() throws Exception {
    try (EmaTrainer trainer = trainer(model)) {
      trainer.initialize(Nets.INPUT);
      Nets.step(trainer, Nets.batches(trainer, Nets.data(trainer.getManager())).next());
      Map<String, float[]> trained = Nets.weights(block);

      assertThatThrownBy(
              () -> {
                try (Swap swap = trainer.ema().swapInto(block)) {
                  assertThat(Nets.weights(block).get("01Linear_weight"))
                      .isNotEqualTo(trained.get("01Linear_weight"));
                  throw new IllegalArgumentException("evaluation");
                }
              })
          .hasMessage("evaluation");
      assertThat(Nets.weights(block)).usingRecursiveComparison().isEqualTo(trained);
      assertThat(trainer.ema().swapped()).isFalse();
    }
  }

  @Test
  void doesNotTrainDuringASwap() throws Exception {
    try (EmaTrainer trainer = trainer(model)) {
      trainer.initialize(Nets.INPUT);
      Batch batch = Nets.batches(trainer, Nets.data(trainer.getManager())).next();
      EasyTrain.trainBatch(trainer, batch);
      Nets.shift(block, 0.5f);
      try (Swap swap = trainer.ema().swapInto(block)) {
        Map<String, float[]> averaged = Nets.weights(block);
        assertThatThrownBy(trainer::step)
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("close the swap");
        assertThat(Nets.weights(block)).usingRecursiveComparison().isEqualTo(averaged);
      }
      trainer.step();
      assertThat(trainer.ema().progress().updates()).isEqualTo(1);
    }
  }

  @Test
  void initializesAModelThatHasNoWeightsAndKeepsItsAverage() {
    try (Model fresh = Nets.model();
        EmaTrainer trainer = trainer(fresh)) {
      trainer.initialize(Nets.INPUT);
      ModelEma<Block> ema = trainer.ema();
      assertThat(Nets.values(ema.state()))
          .usingRecursiveComparison()
          .isEqualTo(Nets.weights(fresh.getBlock()));
      trainer.initialize(Nets.INPUT);
      assertThat(trainer.ema()).isSameAs(ema);
    }
  }

  @Test
  void initializesAsTheConfigurationSays() {
    DefaultTrainingConfig config =
        Nets.config().optInitializer(new ConstantInitializer(0.25f), Parameter.Type.WEIGHT);
    try (Model fresh = Nets.model();
        EmaTrainer trainer = new EmaTrainer(fresh, config, average())) {
      trainer.initialize(Nets.INPUT);
      assertThat(Nets.weights(fresh.getBlock()).get("01Linear_weight")).containsOnly(0.25f);
      assertThat(Nets.values(trainer.ema().state()).get("01Linear_weight")).containsOnly(0.25f);
    }
  }

  @Test
  void trainsAModelThatWasLoadedFrozen(@TempDir Path directory) throws Exception {
    model.save(directory, "net");
    try (Model loaded = Nets.model()) {
      loaded.load(directory, "net");
      loaded.getBlock().freezeParameters(true);
      try (EmaTrainer trainer = trainer(loaded)) {
        trainer.initialize(Nets.INPUT);
        Map<String, float[]> before = Nets.weights(loaded.getBlock());
        Nets.step(trainer, Nets.batches(trainer, Nets.data(trainer.getManager())).next());
        assertThat(Nets.weights(loaded.getBlock()).get("01Linear_weight"))
            .isNotEqualTo(before.get("01Linear_weight"));
      }
    }
  }

  @Test
  void tellsListenersOnceThatTrainingBeginsAndEnds() {
    List<String> told = new ArrayList<>();
    TrainingListener listener =
        new TrainingListenerAdapter() {
          @Override
          public void onTrainingBegin(Trainer trainer) {
            told.add("begin");
          }

          @Override
          public void onTrainingEnd(Trainer trainer) {
            told.add("end");
          }
        };
    new EmaTrainer(model, Nets.config().addTrainingListeners(listener), average()).close();
    assertThat(told).containsExactly("begin", "end");
  }

  @Test
  void saysThatItMustBeInitializedFirst() {
    try (EmaTrainer trainer = trainer(model)) {
      assertThatThrownBy(trainer::ema)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("call initialize(...) first");
      assertThatThrownBy(trainer::step)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("call initialize(...) first");
    }
  }

  @Test
  void refusesSeveralDevicesBeforeAnythingIsOpened() {
    DefaultTrainingConfig config =
        Nets.config().optDevices(new Device[] {Device.gpu(0), Device.gpu(1)});
    String before = model.getNDManager().toString();

    assertThatThrownBy(() -> new EmaTrainer(model, config, average()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[gpu(0), gpu(1)]")
        .hasMessageContaining("optDevices");
    assertThat(model.getNDManager().toString()).isEqualTo(before);
  }

  @Test
  void refusesAnotherDeviceThanTheModelsAsDjlWouldTrainCopies() {
    DefaultTrainingConfig config = Nets.config().optDevices(new Device[] {Device.gpu(0)});

    assertThatThrownBy(() -> new EmaTrainer(model, config, average()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the model's cpu()")
        .hasMessageContaining("[gpu(0)]");
  }

  @Test
  void refusesToGoWithoutAnAverageBeforeAnythingIsOpened() {
    String before = model.getNDManager().toString();

    assertThatThrownBy(() -> new EmaTrainer(model, Nets.config(), null))
        .isInstanceOf(NullPointerException.class)
        .hasMessage("average");
    assertThat(model.getNDManager().toString()).isEqualTo(before);
  }

  @Test
  void closesTheAverageAndItself() {
    String before = Nets.owned();
    String models = model.getNDManager().toString();
    EmaTrainer trainer = trainer(model);
    trainer.initialize(Nets.INPUT);
    trainer.ema().module();
    trainer.close();

    assertThat(trainer.getManager().isOpen()).isFalse();
    assertThat(Nets.owned()).isEqualTo(before);
    assertThat(model.getNDManager().toString()).isEqualTo(models);
    assertThat(arrays()).noneMatch(NDArray::isReleased);
  }

  @Test
  void closingDuringASwapClosesTheTrainerAndKeepsTheWeights() {
    String before = Nets.owned();
    EmaTrainer trainer = trainer(model);
    trainer.initialize(Nets.INPUT);
    Nets.shift(block, 1);
    Map<String, float[]> trained = Nets.weights(block);
    Swap swap = trainer.ema().swapInto(block);

    assertThatThrownBy(trainer::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("close the swap first");
    assertThat(trainer.getManager().isOpen()).isFalse();
    swap.close();
    assertThat(Nets.weights(block)).usingRecursiveComparison().isEqualTo(trained);
    trainer.ema().close();
    assertThat(Nets.owned()).isEqualTo(before);
  }

  /** Tells when it was finalized. */
  private static final class Dropped extends EmaTrainer {
    private final CountDownLatch finalized;

    Dropped(Model model, CountDownLatch finalized) {
      super(model, Nets.config(), average());
      this.finalized = finalized;
    }

    @Override
    @SuppressWarnings({"deprecation", "removal", "Finalize", "Finalizer"})
    protected void finalize() {
      super.finalize();
      finalized.countDown();
    }
  }

  @Test
  void anAverageInUseOutlivesATrainerThatIsGarbage() throws Exception {
    CountDownLatch finalized = new CountDownLatch(1);
    try (ModelEma<Block> ema = averageOfADroppedTrainer(finalized)) {
      for (int i = 0; i < 100 && finalized.getCount() > 0; i++) {
        System.gc();
        ema.update(block);
        finalized.await(100, TimeUnit.MILLISECONDS);
      }
      assumeTrue(finalized.getCount() == 0, "this JVM finalizes nothing");
      ema.update(block);
      assertThat(Nets.values(ema.state())).isNotEmpty();
    }
  }

  private ModelEma<Block> averageOfADroppedTrainer(CountDownLatch finalized) {
    Dropped trainer = new Dropped(model, finalized);
    trainer.initialize(Nets.INPUT);
    return trainer.ema();
  }
}
