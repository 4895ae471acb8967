package io.github.ema4j.djl;

import static com.google.common.collect.ImmutableMap.toImmutableMap;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
        Model other = load(); // closes its block when it is garbage
        NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Block block = trained.getBlock();
      write(golden.run().models().get(0), block);
      try (ModelEma<Block> ema =
          ModelEma.builder(DjlAdapter.instance())
              .config(golden.run().config())
              .module(other.getBlock())
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

  /** A module that keeps multiples of its input in a dict, as other ones keep statistics. */
  private static final String KEEPING =
      """
        def forward(self: __torch__.Script,
          x: Tensor) -> Tensor:
          state = self.state
          _0 = torch._set_item(state, "twice", torch.mul(x, 2))
          _1 = torch._set_item(state, "once", torch.mul(x, 1))
          return x
        def ema_buffers(self: __torch__.Script) -> Dict[str, Tensor]:
          return self.state
      """;

  private static void run(Model model, float... input) {
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      model
          .getBlock()
          .forward(new ParameterStore(manager, false), new NDList(manager.create(input)), false);
    }
  }

  @Test
  void buffersInADictAreListedByTheirNames() throws Exception {
    try (Model model = TorchScript.withMethods(KEEPING, directory.resolve("keeping"))) {
      run(model, 1, 2);
      try (StateDict<NDArray> dict = DjlAdapter.instance().stateDict(model.getBlock())) {
        assertThat(doubles(dict))
            .containsOnly(entry("once", new double[] {1, 2}), entry("twice", new double[] {2, 4}));
        assertThat(dict.entries()).extracting(Entry::name).containsExactly("once", "twice");
        assertThat(dict.refresh()).isFalse();
      }
    }
  }

  @Test
  void aTensorThatTheScriptPutInABuffersPlaceIsFollowed() throws Exception {
    try (Model model = TorchScript.withMethods(KEEPING, directory.resolve("keeping"))) {
      run(model, 0);
      int open = Nets.openArrays();
      try (ModelEma<Block> ema =
          ModelEma.builder(DjlAdapter.instance())
              .strategy(EmaStrategy.nameMatched(0.5))
              .build(model.getBlock())) {
        run(model, 8);
        ema.update(model.getBlock());
        assertThat(doubles(ema.state()).get("once")).containsExactly(4);
        assertThat(doubles(ema.state()).get("twice")).containsExactly(8);
        run(model, 16);
        ema.update(model.getBlock());
        assertThat(doubles(ema.state()).get("once")).containsExactly(10);
        int updated = Nets.openArrays();
        for (int i = 0; i < 10; i++) {
          run(model, i);
          ema.update(model.getBlock());
        }
        assertThat(Nets.openArrays()).isEqualTo(updated);
      }
      assertThat(Nets.openArrays()).isEqualTo(open);
    }
  }

  @Test
  void aScriptThatReturnsCopiesOfItsBuffersIsRefused() throws Exception {
    String copying =
        KEEPING.replace(
            "return self.state",
            "return {\"a\": torch.mul(torch.__getitem__(self.state, \"once\"), 1)}");
    try (Model model = TorchScript.withMethods(copying, directory.resolve("copying"))) {
      run(model, 1);
      assertRefused(model.getBlock(), "returns copies of its buffers");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "int | 1",
        "Dict[str, int] | {\"a\": 1}",
        "List[int] | [1]",
        "Tuple[Tensor, Tensor] | (torch.ones([2]), torch.ones([2]))"
      })
  void aScriptThatReturnsSomethingElseIsRefused(String type, String value) throws Exception {
    String other = returning(type, value);
    try (Model good = load();
        Model model = TorchScript.withMethods(other, directory.resolve("other"))) {
      String message = "must return List[Tensor] or Dict[str, Tensor], but returns";
      assertRefused(model.getBlock(), message);
      assertRefused(new SequentialBlock().add(good.getBlock()).add(model.getBlock()), message);
    }
  }

  @Test
  void aBufferThatTheBackendRefusesIsNamedAndNothingStaysOpen() throws Exception {
    String halving =
        KEEPING.replace("torch.mul(x, 2)", "torch.to(x, " + TorchScript.BFLOAT16 + ")");
    try (Model model = TorchScript.withMethods(halving, directory.resolve("halving"))) {
      run(model, 1);
      assertRefused(model.getBlock(), "buffer 'twice': NDArrays of type");
    }
  }

  private static void assertRefused(Block block, String message) {
    int open = Nets.openArrays();
    assertThatThrownBy(() -> DjlAdapter.instance().stateDict(block))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining(message);
    assertThat(Nets.openArrays()).isEqualTo(open);
  }

  private static String returning(String type, String value) {
    return """
        def forward(self: __torch__.Script,
          x: Tensor) -> Tensor:
          return x
        def ema_buffers(self: __torch__.Script) -> %s:
          return %s
      """
        .formatted(type, value);
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
