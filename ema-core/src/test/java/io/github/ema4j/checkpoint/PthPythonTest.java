package io.github.ema4j.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.common.io.ByteStreams;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Has PyTorch and others read what is written here, where there is a Python that has them: the one
 * that the environment variable EMA4J_PYTHON names, or {@code python3}.
 */
class PthPythonTest {
  private static final Path SCRIPT = Path.of("src", "test", "python", "read_pth.py");

  /** Which modules Python has, looked up once. */
  private static final Map<String, Boolean> AVAILABLE = new ConcurrentHashMap<>();

  @TempDir private Path folder;

  @BeforeEach
  void needsPythonWithTorch() {
    requireModule("torch");
  }

  private static void requireModule(String name) {
    assumeTrue(
        AVAILABLE.computeIfAbsent(name, module -> succeeds("-c", "import " + module)),
        "no Python that has " + name + "; name one by the environment variable EMA4J_PYTHON");
  }

  private static ProcessBuilder python(String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(System.getenv().getOrDefault("EMA4J_PYTHON", "python3"));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
  }

  private static boolean succeeds(String... arguments) {
    try {
      return python(arguments)
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

  /** Returns the lines that Python prints about a file. */
  private List<String> read(String how, PthWriter writer) throws Exception {
    Path path = folder.resolve("written.pth");
    writer.write(path);
    Process process = python(SCRIPT.toString(), how, path.toString()).start();
    String output = new String(ByteStreams.toByteArray(process.getInputStream()), UTF_8);
    assertThat(process.waitFor()).isZero();
    return output.lines().toList();
  }

  private static List<String> lines(String owner, StateDict<?> state) {
    return Golden.content(state).entrySet().stream()
        .map(entry -> owner + "/" + entry.getKey() + "\t" + entry.getValue())
        .toList();
  }

  /** The state dict of a linear layer with batch normalisation behind it. */
  private static StateDict<ArrayTensor> model(float first) {
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

  @Test
  void pytorchReadsEveryTypeAndLayout() throws Exception {
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
    StateDict<ArrayTensor> all = state.build();
    List<String> expected = new ArrayList<>(lines("plain", all));
    expected.addAll(lines("plain", all)); // once more through a memory map

    assertThat(read("plain", PthWriter.of(PthLayout.STATE_DICT).model(all)))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void timmResumesAndLoadsTheAverage() throws Exception {
    requireModule("timm");
    List<String> expected = new ArrayList<>(List.of("epoch\t4"));
    expected.addAll(lines("resumed", model(1)));
    expected.addAll(lines("average", model(2)));
    expected.addAll(lines("v1", model(2)));

    assertThat(
            read(
                "timm",
                PthWriter.of(PthLayout.TIMM)
                    .model(model(1))
                    .average(model(2))
                    .value("epoch", 3)
                    .value("arch", "net")))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void averagedModelsGoOn() throws Exception {
    List<String> expected = new ArrayList<>(List.of("n_averaged\t7"));
    expected.addAll(lines("average", model(2)));

    assertThat(
            read(
                "averaged_model",
                PthWriter.of(PthLayout.AVERAGED_MODEL).average(model(2)).updates(7)))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void mmengineGoesOn() throws Exception {
    requireModule("mmengine");
    List<String> expected = new ArrayList<>(List.of("steps\t7"));
    expected.addAll(lines("model", model(1)));
    expected.addAll(lines("average", model(2)));

    assertThat(
            read(
                "mmengine",
                PthWriter.of(PthLayout.MMENGINE).model(model(1)).average(model(2)).updates(7)))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void valuesArePythonsOwn() throws Exception {
    assertThat(
            read(
                "values",
                PthWriter.of(PthLayout.TIMM)
                    .model(model(1))
                    .value("text", "\u00fc")
                    .value("yes", true)
                    .value("negative", -1)
                    .value("large", Long.MIN_VALUE)
                    .value("double", 0.1)
                    .value("none", null)
                    .value("list", List.of(1, List.of("x")))
                    .value("map", Map.of("k", 2))))
        .containsExactly(
            "version\t2",
            "text\t'\u00fc'",
            "yes\tTrue",
            "negative\t-1",
            "large\t-9223372036854775808",
            "double\t0.1",
            "none\tNone",
            "list\t[1, ['x']]",
            "map\t{'k': 2}");
  }

  @Test
  void tiedTensorsAreTiedInPython() throws Exception {
    float[] shared = {1, 2};
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .parameter("a", ArrayTensor.of(shared, 2))
            .parameter("b", ArrayTensor.of(shared, 2))
            .parameter("c", ArrayTensor.of(shared.clone(), 2))
            .build();

    assertThat(read("tied", PthWriter.of(PthLayout.STATE_DICT).model(state)))
        .containsExactly("tied\tTrue", "tied\tFalse");
  }

  /** Six gigabytes, of which hardly any take room before they are written. */
  @Test
  @Tag("full")
  void filesBeyondFourGibibytesAreRead() throws Exception {
    long elements = 1_500_000_000L;
    Path sparse = folder.resolve("sparse");
    try (RandomAccessFile file = new RandomAccessFile(sparse.toFile(), "rw")) {
      file.setLength(elements * 4);
      file.write(1);
      file.seek(elements * 4 - 4);
      file.write(2);
    }
    try (FileBytes bytes = FileBytes.map(sparse)) {
      TensorSpec spec =
          new TensorSpec(
              ElementType.I32,
              ImmutableLongArray.of(elements),
              ImmutableLongArray.of(1),
              Device.CPU);
      FileTensor tensor = new FileTensor(bytes, 0, ByteOrder.LITTLE_ENDIAN, spec);
      StateDict<FileTensor> state =
          StateDict.builder(FileBackend.INSTANCE)
              .counter("large", tensor)
              .counter("small", tensor)
              .build();

      assertThat(read("last", PthWriter.of(PthLayout.STATE_DICT).model(state)))
          .containsExactly("large\t1500000000 1 2 2");
      try (PthFile file = PthFile.open(folder.resolve("written.pth"))) {
        List<Entry<FileTensor>> entries = file.model(PthLayout.STATE_DICT).entries();
        assertThat(entries.get(0).spec().elements()).isEqualTo(elements);
      }
    }
  }
}
