package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.RandomAccessFile;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Has PyTorch and others read what is written here, where there is a Python that has them: the one
 * that the environment variable EMA4J_PYTHON names, or {@code python3}.
 */
class PthPythonTest {
  @TempDir private Path folder;

  @BeforeEach
  void needsPythonWithTorch() {
    Python.requireModule("torch");
  }

  /** Returns the lines that Python prints about a file. */
  private List<String> read(String how, PthWriter writer) throws Exception {
    Path path = folder.resolve("written.pth");
    writer.write(path);
    return Python.run("read_pth.py", how, path.toString());
  }

  @Test
  void pytorchReadsEveryTypeAndLayout() throws Exception {
    StateDict<ArrayTensor> all = Python.everyTypeAndLayout();
    List<String> expected = new ArrayList<>(Python.lines("plain", all));
    expected.addAll(Python.lines("plain", all)); // once more through a memory map

    assertThat(read("plain", PthWriter.of(PthLayout.STATE_DICT).model(all)))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void timmResumesAndLoadsTheAverage() throws Exception {
    Python.requireModule("timm");
    List<String> expected = new ArrayList<>(List.of("epoch\t4"));
    expected.addAll(Python.lines("resumed", Python.model(1)));
    expected.addAll(Python.lines("average", Python.model(2)));
    expected.addAll(Python.lines("v1", Python.model(2)));

    assertThat(
            read(
                "timm",
                PthWriter.of(PthLayout.TIMM)
                    .model(Python.model(1))
                    .average(Python.model(2))
                    .value("epoch", 3)
                    .value("arch", "net")))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void averagedModelsGoOn() throws Exception {
    List<String> expected = new ArrayList<>(List.of("n_averaged\t7"));
    expected.addAll(Python.lines("average", Python.model(2)));

    assertThat(
            read(
                "averaged_model",
                PthWriter.of(PthLayout.AVERAGED_MODEL).average(Python.model(2)).updates(7)))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void mmengineGoesOn() throws Exception {
    Python.requireModule("mmengine");
    List<String> expected = new ArrayList<>(List.of("steps\t7"));
    expected.addAll(Python.lines("model", Python.model(1)));
    expected.addAll(Python.lines("average", Python.model(2)));

    assertThat(
            read(
                "mmengine",
                PthWriter.of(PthLayout.MMENGINE)
                    .model(Python.model(1))
                    .average(Python.model(2))
                    .updates(7)))
        .containsExactlyElementsOf(expected);
  }

  @Test
  void valuesArePythonsOwn() throws Exception {
    assertThat(
            read(
                "values",
                PthWriter.of(PthLayout.TIMM)
                    .model(Python.model(1))
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
