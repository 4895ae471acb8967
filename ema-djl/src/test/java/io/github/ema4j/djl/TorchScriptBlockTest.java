package io.github.ema4j.djl;

import static com.google.common.collect.ImmutableMap.toImmutableMap;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import com.google.common.collect.Iterables;
import com.google.common.io.MoreFiles;
import com.google.common.primitives.Floats;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Swap;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.GoldenScript;
import java.io.IOException;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TorchScriptBlockTest {
  private static final List<String> NAMES =
      List.of(
          "conv.weight",
          "conv.bias",
          "bn.weight",
          "bn.bias",
          "head.weight",
          "head.bias",
          "ema_buffers.0",
          "ema_buffers.1",
          "ema_buffers.2");

  /** What the script's buffers are called in PyTorch. */
  private static final Map<String, String> BUFFERS =
      Map.of(
          "ema_buffers.0", "bn.running_mean",
          "ema_buffers.1", "bn.running_var",
          "ema_buffers.2", "bn.num_batches_tracked");

  private final GoldenScript golden = GoldenScript.shipped();

  @TempDir private Path directory;

  @Test
  void parametersAndExportedBuffersAreListed() throws Exception {
    try (Model model = load();
        StateDict<NDArray> dict = DjlAdapter.instance().stateDict(model.getBlock())) {
      assertThat(dict.entries()).extracting(Entry::name).isEqualTo(NAMES);
      assertThat(dict.entries().subList(0, 6)).extracting(Entry::role).containsOnly(Role.PARAMETER);
      assertThat(dict.entries().subList(6, 9))
          .extracting(Entry::role)
          .containsExactly(Role.STATISTIC, Role.STATISTIC, Role.COUNTER);
      assertThat(dict.refresh()).isFalse();
    }
  }

  @Test
  void buffersOfAScriptInsideABlockAreNamedAsItsParametersAre() throws Exception {
    try (Model model = load();
        StateDict<NDArray> dict =
            DjlAdapter.instance().stateDict(new SequentialBlock().add(model.getBlock()))) {
      assertThat(dict.entries().stream().<String>map(Entry::name))
          .startsWith("01PtSymbolBlock_conv.weight")
          .endsWith("01PtSymbolBlock_ema_buffers.2");
    }
  }

  @Test
  void theAverageHasTheBitsOfTimmsAndTheSameOutputs() throws Exception {
    try (Model trained = load();
        NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Block block = trained.getBlock();
      write(golden.run().models().get(0), block);
      try (ModelEma<Block> ema =
          ModelEma.builder(DjlAdapter.instance())
              .config(golden.run().config())
              .module(() -> load().getBlock())
              .build(block)) {
        for (StateDict<ArrayTensor> step : Iterables.skip(golden.run().models(), 1)) {
          write(step, block);
          ema.update(block);
        }
        assertThat(contents(ema.state())).isEqualTo(contents(golden.run().expected()));
        assertOutputs(block, manager, golden.modelOutput());
        assertOutputs(ema.module(), manager, golden.averageOutput());
        try (Swap swap = ema.swapInto(block)) {
          assertThat(swap).isNotNull();
          assertOutputs(block, manager, golden.averageOutput());
        }
        assertOutputs(block, manager, golden.modelOutput());
      }
    }
  }

  @Test
  void trainingAScriptMovesParametersAndRunningStatisticsOfTheAverage() throws Exception {
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
            .optDevices(new Device[] {Device.cpu()})
            .optOptimizer(Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.01f)).build());
    ModelEma.Builder<Block> average =
        ModelEma.builder(DjlAdapter.instance()).strategy(EmaStrategy.nameMatched(0.9));
    try (Model model = load();
        EmaTrainer trainer = new EmaTrainer(model, config, average)) {
      trainer.initialize(new Shape(8, 1, 8, 8));
      inferOnce(model.getBlock());
      Map<String, double[]> expected = doubles(trainer.ema().state());
      Map<String, double[]> start = doubles(trainer.ema().state());
      for (int step = 0; step < 10; step++) {
        try (NDManager batch = model.getNDManager().newSubManager();
            GradientCollector collector = trainer.newGradientCollector()) {
          NDArray input = batch.randomNormal(new Shape(8, 1, 8, 8));
          NDArray labels = batch.arange(8).toType(DataType.INT64, false);
          NDList output = trainer.forward(new NDList(input));
          collector.backward(trainer.getLoss().evaluate(new NDList(labels), output));
        }
        trainer.step();
        try (StateDict<NDArray> weights = DjlAdapter.instance().stateDict(model.getBlock())) {
          doubles(weights)
              .forEach(
                  (name, values) -> {
                    double[] averages = expected.get(name);
                    for (int i = 0; i < values.length; i++) {
                      averages[i] += 0.1 * (values[i] - averages[i]);
                    }
                  });
        }
      }
      Map<String, double[]> actual = doubles(trainer.ema().state());
      for (String name : NAMES.subList(0, 8)) {
        if (!name.equals("conv.bias")) { // whose gradient is 0: normalisation takes it out
          assertThat(actual.get(name)).as(name).isNotEqualTo(start.get(name));
        }
        assertThat(actual.get(name))
            .as(name)
            .usingComparatorWithPrecision(1e-5)
            .containsExactly(expected.get(name));
      }
      assertThat(actual.get("ema_buffers.2")).containsExactly(start.get("ema_buffers.2")[0] + 10);
    }
  }

  @Test
  void aScriptThatDoesNotTellItsBuffersIsRefused() throws Exception {
    try (Model casting = TorchScript.casting(TorchScript.INT16, directory.resolve("cast"))) {
      assertThatThrownBy(() -> DjlAdapter.instance().stateDict(casting.getBlock()))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("DJL does not list the buffers of a TorchScript module")
          .hasMessageContaining("def ema_buffers(self) -> Dict[str, torch.Tensor]");
    }
  }

  @Test
  void handlesOfBuffersAreFreedWithTheStateDict() throws Exception {
    try (Model model = load()) {
      StateDict<NDArray> dict = DjlAdapter.instance().stateDict(model.getBlock());
      NDArray buffer = dict.entries().get(8).tensor();
      dict.close();
      assertThat(buffer.isReleased()).isTrue();
      assertThat(model.getBlock().getParameters().valueAt(0).getArray().isReleased()).isFalse();
    }
  }

  private Model load() {
    Path file = directory.resolve("digits.pt");
    try {
      if (!Files.exists(file)) {
        golden.module().copyTo(MoreFiles.asByteSink(file));
      }
      Model model = Model.newInstance("digits", Device.cpu());
      model.load(directory, "digits", Map.of("trainParam", "true"));
      return model;
    } catch (IOException | MalformedModelException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void write(StateDict<ArrayTensor> values, Block block) {
    try (StateDict<NDArray> dict = DjlAdapter.instance().stateDict(block)) {
      for (Entry<NDArray> entry : dict.entries()) {
        Buffer memory = dict.backend().memory(entry.tensor()).segmentAt(0);
        Buffer wanted = contents(values).get(BUFFERS.getOrDefault(entry.name(), entry.name()));
        if (memory instanceof FloatBuffer floats) {
          floats.put((FloatBuffer) wanted);
        } else {
          ((LongBuffer) memory).put((LongBuffer) wanted);
        }
      }
    }
  }

  /** Returns what tensors hold, by their names in PyTorch. */
  private static <T> Map<String, Buffer> contents(StateDict<T> dict) {
    return dict.entries().stream()
        .collect(
            toImmutableMap(
                entry -> BUFFERS.getOrDefault(entry.name(), entry.name()),
                entry -> dict.backend().memory(entry.tensor()).segmentAt(0)));
  }

  /**
   * Runs a script in inference. DJL takes a loaded script for one in training mode, and so leaves
   * one that was saved in evaluation mode as it is until it has been in inference once.
   */
  private static void inferOnce(Block block) {
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      NDList input = new NDList(manager.zeros(new Shape(1, 1, 8, 8)));
      block.forward(new ParameterStore(manager, false), input, false);
    }
  }

  /** Returns a copy of all tensors of a state dict by name, as doubles. */
  private static Map<String, double[]> doubles(StateDict<?> state) {
    return state.entries().stream()
        .collect(toImmutableMap(Entry::name, entry -> doubles((NDArray) entry.tensor())));
  }

  private static double[] doubles(NDArray array) {
    return Arrays.stream(array.toArray()).mapToDouble(Number::doubleValue).toArray();
  }

  private void assertOutputs(Block block, NDManager manager, ArrayTensor expected) {
    try (NDManager outputs = manager.newSubManager()) {
      NDArray input = outputs.create((float[]) golden.input().array(), new Shape(4, 1, 8, 8));
      NDArray output =
          block.forward(new ParameterStore(outputs, false), new NDList(input), false).head();
      float[] wanted = (float[]) expected.array();
      assertThat(output.toFloatArray())
          .usingComparatorWithPrecision(1e-6f * Floats.max(wanted)) // of the largest output
          .containsExactly(wanted);
    }
  }
}
