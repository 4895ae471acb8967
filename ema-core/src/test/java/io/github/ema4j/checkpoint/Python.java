package io.github.ema4j.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.common.io.ByteStreams;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Runs the scripts of the tests, by the Python that the environment variable EMA4J_PYTHON names, or
 * {@code python3}; and what they read, and say of it.
 */
final class Python {

  /** Which modules Python has, looked up once. */
  private static final Map<String, Boolean> AVAILABLE = new ConcurrentHashMap<>();

  private Python() {}

  /** Skips the test where Python has no such module. */
  static void requireModule(String name) {
    assumeTrue(
        AVAILABLE.computeIfAbsent(name, module -> succeeds("-c", "import " + module)),
        "no Python that has " + name + "; name one by the environment variable EMA4J_PYTHON");
  }

  /** Returns the lines that a script prints. */
  static List<String> run(String script, String... arguments) throws Exception {
    List<String> all = new ArrayList<>();
    all.add(Path.of("src", "test", "python", script).toString());
    all.addAll(List.of(arguments));
    Process process =
        process(all.toArray(new String[0])).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(ByteStreams.toByteArray(process.getInputStream()), UTF_8);
    assertThat(process.waitFor()).isZero();
    return output.lines().toList();
  }

  private static ProcessBuilder process(String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(System.getenv().getOrDefault("EMA4J_PYTHON", "python3"));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command);
  }

  private static boolean succeeds(String... arguments) {
    try {
      return process(arguments)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Returns a state dict of every element type, each dense, transposed, scalar and empty. */
  static StateDict<ArrayTensor> everyTypeAndLayout() {
    StateDict.Builder<ArrayTensor> state = StateDict.builder(ArrayBackend.instance());
    for (ElementType type : ElementType.values()) {
      state.parameter(type + ".dense", ArrayTensor.of(type, PthWriterTest.array(type, 6), 2, 3));
      state.parameter(
          type + ".transposed",
          ArrayTensor.view(
              type, PthWriterTest.array(type, 7), 1, new long[] {3, 2}, new long[] {1, 3}));
      state.parameter(type + ".scalar", ArrayTensor.of(type, PthWriterTest.array(type, 1)));
      state.parameter(type + ".empty", ArrayTensor.of(type, PthWriterTest.array(type, 0), 0, 4));
    }
    return state.build();
  }

  /** Returns the lines that a script should print of a state dict. */
  static List<String> lines(String owner, StateDict<?> state) {
    return Golden.content(state).entrySet().stream()
        .map(entry -> owner + "/" + entry.getKey() + "\t" + entry.getValue())
        .toList();
  }

  /** The state dict of a linear layer with batch normalisation behind it. */
  static StateDict<ArrayTensor> model(float first) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("0.weight", floats(first, 2, 3))
        .parameter("0.bias", floats(first + 10, 2))
        .parameter("1.weight", floats(first + 20, 2))
        .parameter("1.bias", floats(first + 30, 2))
        .statistic("1.running_mean", floats(first + 40, 2))
        .statistic("1.running_var", floats(first + 50, 2))
        .counter("1.num_batches_tracked", ArrayTensor.of(new long[] {60}))
        .build();
  }

  private static ArrayTensor floats(float first, long... shape) {
    TensorSpec spec = TensorSpec.contiguous(ElementType.F32, shape);
    float[] values = new float[(int) spec.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = first + i / 7f;
    }
    return ArrayTensor.of(values, shape);
  }
}
