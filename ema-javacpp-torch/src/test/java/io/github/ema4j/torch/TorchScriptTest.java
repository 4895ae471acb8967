package io.github.ema4j.torch;

import static com.google.common.collect.ImmutableMap.toImmutableMap;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

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
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@SuppressWarnings("try") // swaps, scopes and guards are open for as long as they are not closed
class TorchScriptTest {
  private static final TorchAdapter<JitModule> ADAPTER = TorchAdapter.ofScripts();

  private final GoldenScript golden = GoldenScript.shipped();

  @TempDir private Path directory;

  private JitModule load() {
    try {
      Path file = directory.resolve("digits.pt");
      golden.module().copyTo(MoreFiles.asByteSink(file));
      return torch.load(file.toString());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void entriesAreThoseOfTheStateDictOfPyTorchInItsOrder() {
    try (StateDict<Tensor> dict = ADAPTER.stateDict(load())) {
      assertThat(dict.entries())
          .extracting(Entry::name)
          .containsExactlyElementsOf(
              golden.run().expected().entries().stream().map(Entry::name).toList());
      assertThat(dict.entries())
          .filteredOn(entry -> entry.role() != Role.PARAMETER)
          .extracting(Entry::name, Entry::role)
          .containsExactly(
              tuple("bn.running_mean", Role.STATISTIC),
              tuple("bn.running_var", Role.STATISTIC),
              tuple("bn.num_batches_tracked", Role.COUNTER));
    }
  }

  @Test
  void theAverageHasTheBitsOfTimmsAndTheSameOutputs() {
    JitModule module = load();
    module.eval();
    write(golden.run().models().get(0), module);
    try (ModelEma<JitModule> ema =
        ModelEma.builder(ADAPTER).config(golden.run().config()).build(module)) {
      for (StateDict<ArrayTensor> step : Iterables.skip(golden.run().models(), 1)) {
        write(step, module);
        ema.update(module);
      }
      assertThat(contents(ema.state())).isEqualTo(contents(golden.run().expected()));
      assertOutputs(module, golden.modelOutput());
      assertOutputs(ema.module(), golden.averageOutput());
      try (Swap swap = ema.swapInto(module)) {
        assertOutputs(module, golden.averageOutput());
      }
      assertOutputs(module, golden.modelOutput());
    }
  }

  @Test
  void scriptsPairByPositionWhateverTheirNames() {
    JitModule module = load();
    try (ModelEma<JitModule> ema =
        ModelEma.builder(ADAPTER).strategy(EmaStrategy.ordered(0.5)).build(module)) {
      ema.load(golden.run().expected());
      assertThat(contents(ema.state())).isEqualTo(contents(golden.run().expected()));
    }
  }

  @Test
  void trainingAScriptMovesParametersAndRunningStatisticsOfTheAverage() {
    JitModule module = load();
    module.train();
    torch.manual_seed(6);
    SGD optimizer = new SGD(new TensorVector(parameters(module)), new SGDOptions(0.01));
    try (ModelEma<JitModule> ema =
        ModelEma.builder(ADAPTER).strategy(EmaStrategy.nameMatched(0.9)).build(module)) {
      Map<String, double[]> expected = doubles(ema.state());
      Map<String, double[]> start = doubles(ema.state());
      for (int step = 0; step < 6; step++) {
        try (PointerScope scope = new PointerScope()) {
          optimizer.zero_grad();
          Tensor labels = torch.zeros(new long[] {8}).to(ScalarType.Long);
          torch.cross_entropy(run(module, torch.randn(8, 1, 8, 8)), labels).backward();
          optimizer.step();
        }
        ema.update(module);
        try (StateDict<Tensor> weights = ADAPTER.stateDict(module)) {
          doubles(weights).forEach((name, values) -> average(expected.get(name), values, name));
        }
      }
      doubles(ema.state())
          .forEach(
              (name, actual) -> {
                assertThat(actual)
                    .as("%s", name)
                    .usingComparatorWithPrecision(1e-5)
                    .containsExactly(expected.get(name));
                if (!name.equals("conv.bias")) { // whose gradient is 0: batch norm takes it out
                  assertThat(actual).as("%s", name).isNotEqualTo(start.get(name));
                }
              });
    }
  }

  private static void average(double[] averages, double[] values, String name) {
    double weight = name.endsWith("num_batches_tracked") ? 1 : 0.1;
    for (int i = 0; i < averages.length; i++) {
      averages[i] += weight * (values[i] - averages[i]);
    }
  }

  @Test
  void aCopyIsInEvaluationModeWithoutGradientsAlsoIfItWasMadeWhileTheyWereRecorded() {
    JitModule module = load();
    module.train();
    JitModule copy = module.deepcopy();
    assertThat(parameters(copy)).noneMatch(Tensor::is_leaf);

    ADAPTER.evaluationMode(copy);
    assertThat(copy.is_training()).isFalse();
    assertThat(parameters(copy)).noneMatch(Tensor::requires_grad);

    JitModule own = ADAPTER.copy(module);
    assertThat(parameters(own)).allMatch(Tensor::is_leaf);
    assertThat(module.is_training()).isTrue();
    assertThat(parameters(module)).allMatch(Tensor::requires_grad);
  }

  private static Tensor[] parameters(JitModule module) {
    try (StateDict<Tensor> dict = ADAPTER.stateDict(module)) {
      return dict.entries().stream()
          .filter(entry -> entry.role() == Role.PARAMETER || entry.role() == Role.FROZEN)
          .map(entry -> new Tensor(entry.tensor()))
          .toArray(Tensor[]::new);
    }
  }

  private static void write(StateDict<ArrayTensor> values, JitModule module) {
    try (StateDict<Tensor> dict = ADAPTER.stateDict(module)) {
      contents(dict)
          .forEach(
              (name, memory) -> {
                Buffer wanted = contents(values).get(name);
                if (memory instanceof FloatBuffer floats) {
                  floats.put((FloatBuffer) wanted);
                } else {
                  ((LongBuffer) memory).put((LongBuffer) wanted);
                }
              });
    }
  }

  private static <T> Map<String, Buffer> contents(StateDict<T> dict) {
    return dict.entries().stream()
        .collect(
            toImmutableMap(
                Entry::name, entry -> dict.backend().memory(entry.tensor()).segmentAt(0)));
  }

  private static Map<String, double[]> doubles(StateDict<?> dict) {
    return Nets.values(dict).entrySet().stream()
        .collect(
            toImmutableMap(
                Map.Entry::getKey,
                entry -> entry.getValue().stream().mapToDouble(Float::doubleValue).toArray()));
  }

  private static Tensor run(JitModule module, Tensor input) {
    return module.forward(new IValueVector(new IValue(input))).toTensor();
  }

  private void assertOutputs(JitModule module, ArrayTensor expected) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      Tensor input = Tensor.create((float[]) golden.input().array(), 4, 1, 8, 8);
      float[] wanted = (float[]) expected.array();
      List<Float> actual = Floats.asList(Nets.floats(run(module, input)));
      assertThat(Floats.toArray(actual))
          .usingComparatorWithPrecision(1e-6f * Floats.max(wanted)) // of the largest output
          .containsExactly(wanted);
    }
  }
}
