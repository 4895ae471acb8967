package io.github.ema4j.djl;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.util.Pair;
import io.github.ema4j.StateDict;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** Small networks, made data and looks at weights. */
final class Nets {
  static final Shape INPUT = new Shape(1, 5);
  private static final int ROWS = 64;

  private Nets() {}

  /** Returns a network of two layers with batch normalisation between, without weights. */
  static SequentialBlock network() {
    return new SequentialBlock()
        .add(Linear.builder().setUnits(6).build())
        .add(BatchNorm.builder().build())
        .add(Activation.reluBlock())
        .add(Linear.builder().setUnits(3).build());
  }

  /** Returns a model with that network, without weights. */
  static Model model() {
    Model model = Model.newInstance("net", Device.cpu());
    model.setBlock(network());
    return model;
  }

  /** Returns a model with that network and the weights that a seed gives. */
  static Model initialized(int seed) {
    Model model = model();
    Engine.getInstance().setRandomSeed(seed);
    model.getBlock().initialize(model.getNDManager(), model.getDataType(), INPUT);
    return model;
  }

  static DefaultTrainingConfig config() {
    return new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
        .optDevices(new Device[] {Device.cpu()})
        .optOptimizer(
            Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.5f)).optMomentum(0.9f).build());
  }

  /** Returns the same data each time: 64 rows of 5 numbers in 4 batches, and their class of 3. */
  static ArrayDataset data(NDManager manager) {
    return new ArrayDataset.Builder()
        .setData(inputs(manager))
        .optLabels(labels(manager))
        .setSampling(ROWS / 4, false)
        .build();
  }

  static NDArray inputs(NDManager manager) {
    Random random = new Random(11);
    float[] values = new float[ROWS * 5];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return manager.create(values, new Shape(ROWS, 5));
  }

  private static NDArray labels(NDManager manager) {
    Random random = new Random(12);
    float[] values = new float[ROWS];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(3);
    }
    return manager.create(values);
  }

  /** Trains on the data over and over, one batch a step, without calling {@code step()}. */
  static Iterator<Batch> batches(Trainer trainer, ArrayDataset data) throws Exception {
    return trainer.iterateDataset(data).iterator();
  }

  /** Makes one optimiser step with a batch. */
  static void step(Trainer trainer, Batch batch) {
    EasyTrain.trainBatch(trainer, batch);
    trainer.step();
    batch.close();
  }

  /** Returns what a block answers to the inputs in inference. */
  static float[] answers(Block block) {
    try (NDManager manager = DjlBackend.manager().newSubManager()) {
      NDList outputs =
          block.forward(
              new ParameterStore(manager, false), new NDList(inputs(manager)), false, null);
      return outputs.singletonOrThrow().toFloatArray();
    }
  }

  /** Returns a copy of a block's float32 weights by name, each parameter once. */
  static Map<String, float[]> weights(Block block) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (Pair<String, Parameter> pair : block.getParameters()) {
      weights.put(pair.getKey(), pair.getValue().getArray().toFloatArray());
    }
    return weights;
  }

  /** Returns a copy of the float32 tensors of a state dict by name. */
  static Map<String, float[]> values(StateDict<?> state) {
    Map<String, float[]> values = new LinkedHashMap<>();
    state
        .entries()
        .forEach(entry -> values.put(entry.name(), ((NDArray) entry.tensor()).toFloatArray()));
    return values;
  }

  /** Adds a constant to every weight, as an optimiser might. */
  static void shift(Block block, float by) {
    for (Parameter parameter : block.getParameters().values()) {
      float[] values = parameter.getArray().toFloatArray();
      for (int i = 0; i < values.length; i++) {
        values[i] += by;
      }
      parameter.getArray().set(values);
    }
  }

  /** Returns how many arrays the engine has open in the whole process. */
  static int openArrays() {
    return DjlBackend.manager().getParentManager().getManagedArrays().size();
  }

  /** Returns what averages own, in numbers: arrays, and managers directly under theirs. */
  static String owned() {
    return DjlBackend.manager().getManagedArrays().size() + " arrays; " + DjlBackend.manager();
  }

  /**
   * Tells whether autograd knows how an array was computed, by going back from it: {@code
   * hasGradient()} is false for every array that was computed, recorded or not.
   */
  static boolean isRecorded(NDArray array) {
    try (NDScope temporaries = new NDScope();
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      temporaries.suppressNotUsedWarning();
      collector.backward(array.sum());
      return true;
    } catch (EngineException e) {
      if (String.valueOf(e.getMessage()).contains("does not require grad")) {
        return false;
      }
      throw e;
    }
  }

  /** Runs work on a thread of its own, where LibTorch records gradients. */
  static void onAnotherThread(Runnable work) throws InterruptedException {
    Throwable[] failure = new Throwable[1];
    Thread thread = new Thread(work, "another");
    thread.setUncaughtExceptionHandler((ignored, e) -> failure[0] = e);
    thread.start();
    thread.join();
    if (failure[0] != null) {
      throw new AssertionError("failed on another thread", failure[0]);
    }
  }
}
