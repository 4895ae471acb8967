package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PthWriterTest {
  @TempDir private Path folder;

  private static StateDict<ArrayTensor> floats(String name, float... values) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter(name, ArrayTensor.of(values, values.length))
        .build();
  }

  private Path write(PthWriter writer) throws IOException {
    Path path = folder.resolve("written.pth");
    writer.write(path);
    return path;
  }

  @ParameterizedTest
  @ValueSource(strings = {"timm", "plain", "mmengine"})
  void whatIsWrittenInALayoutIsReadFromIt(String name) throws IOException {
    PthLayout layout = PthLayout.named(name);
    PthWriter writer =
        PthWriter.of(layout).model(floats("w", 1, 2)).average(floats("w", 3, 4)).value("epoch", 5);
    if (layout.counts()) {
      writer.updates(6);
    }

    try (PthFile file = PthFile.open(write(writer))) {
      assertThat(file.hasAverage(layout)).isTrue();
      assertThat(Golden.content(file.model(layout))).isEqualTo(Golden.content(floats("w", 1, 2)));
      assertThat(Golden.content(file.average(layout))).isEqualTo(Golden.content(floats("w", 3, 4)));
      assertThat(file.values()).containsEntry("epoch", 5L);
      assertThat(file.updates(layout))
          .isEqualTo(layout.counts() ? OptionalLong.of(6) : OptionalLong.empty());
    }
  }

  @Test
  void layoutsOfOneStateDictAreItAlone() throws IOException {
    Path state = write(PthWriter.of(PthLayout.STATE_DICT).model(floats("w", 1)));
    try (PthFile file = PthFile.open(state)) {
      assertThat(file.keys()).containsExactly("w");
    }
    Path averaged =
        write(PthWriter.of(PthLayout.AVERAGED_MODEL).average(floats("w", 2)).updates(7));
    try (PthFile file = PthFile.open(averaged)) {
      assertThat(file.keys()).containsExactly("n_averaged", "module.w");
      assertThat(Golden.content(file.average(PthLayout.AVERAGED_MODEL)))
          .isEqualTo(Golden.content(floats("w", 2)));
      assertThat(file.updates(PthLayout.AVERAGED_MODEL)).isEqualTo(OptionalLong.of(7));
    }
  }

  @Test
  void theModelAloneIsWhereProgramsWithoutAverageLookForIt() throws IOException {
    try (PthFile file =
        PthFile.open(write(PthWriter.of(PthLayout.MMENGINE).model(floats("w", 1))))) {
      assertThat(file.keys()).containsExactly("state_dict");
      assertThat(file.hasAverage(PthLayout.MMENGINE)).isFalse();
      assertThat(Golden.content(file.model(PthLayout.MMENGINE)))
          .isEqualTo(Golden.content(floats("w", 1)));
    }
  }

  @Test
  void keysOfTheUsersOwnNest() throws IOException {
    PthLayout layout = PthLayout.of("trainer/net", "trainer/ema/state").withAveragedModel();
    Path path =
        write(
            PthWriter.of(layout)
                .model(floats("w", 1))
                .average(floats("w", 2))
                .updates(3)
                .value("epoch", 4));

    try (PthFile file = PthFile.open(path)) {
      assertThat(file.keys()).containsExactly("epoch", "trainer");
      assertThat(Golden.content(file.model(layout))).isEqualTo(Golden.content(floats("w", 1)));
      assertThat(Golden.content(file.average(layout))).isEqualTo(Golden.content(floats("w", 2)));
      assertThat(file.updates(layout)).isEqualTo(OptionalLong.of(3));
    }
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void everyTypeAndLayoutIsWrittenToTheLastBit(ElementType type) throws IOException {
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .parameter("dense", ArrayTensor.of(type, array(type, 6), 2, 3))
            .parameter(
                "transposed",
                ArrayTensor.view(type, array(type, 7), 1, new long[] {3, 2}, new long[] {1, 3}))
            .parameter("scalar", ArrayTensor.of(type, array(type, 1)))
            .parameter("empty", ArrayTensor.of(type, array(type, 0), 0, 4))
            .build();

    try (PthFile file = PthFile.open(write(PthWriter.of(PthLayout.STATE_DICT).model(state)))) {
      assertThat(Golden.content(file.model(PthLayout.STATE_DICT)))
          .containsExactlyEntriesOf(Golden.content(state));
    }
  }

  static Object array(ElementType type, int length) {
    return switch (type) {
      case F64 -> fill(new double[length], i -> -i / 3.0);
      case F32 -> fill(new float[length], i -> -i / 3f);
      case I64 -> fill(new long[length], i -> Long.MIN_VALUE + i);
      case I32 -> fill(new int[length], i -> Integer.MIN_VALUE + i);
      case F16, BF16, I16 -> fill(new short[length], i -> (short) (0x8001 + i));
      case I8, U8 -> fill(new byte[length], i -> (byte) (0x81 + i));
      case BOOL -> fill(new byte[length], i -> (byte) (i % 2));
    };
  }

  private static Object fill(Object array, java.util.function.IntFunction<Object> value) {
    for (int i = 0; i < java.lang.reflect.Array.getLength(array); i++) {
      java.lang.reflect.Array.set(array, i, value.apply(i));
    }
    return array;
  }

  @Test
  void anAverageGoesToPythonAndBack() throws IOException {
    StateDict<ArrayTensor> weights = floats("w", 1, 2);
    Path path = folder.resolve("checkpoint-3.pth.tar");
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(0.9))
            .build(weights)) {
      // tag::writepth[]
      PthWriter.of(PthLayout.TIMM)
          .model(weights)
          .average(ema.state())
          .value("epoch", 3)
          .value("arch", "resnet50")
          .write(path);
      // end::writepth[]
      ema.load(floats("w", 0, 0));
      // tag::readpth[]
      try (PthFile file = PthFile.open(path)) {
        ema.load(file.average(PthLayout.TIMM));
      }
      // end::readpth[]
      assertThat(Golden.content(ema.state())).isEqualTo(Golden.content(weights));
    }
  }

  @Test
  void tiedTensorsAreWrittenOnceAndTiedAgain() throws IOException {
    float[] shared = {1, 2};
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .parameter("a", ArrayTensor.of(shared, 2))
            .parameter("b", ArrayTensor.of(shared, 2))
            .parameter("flat", ArrayTensor.of(shared, 1, 2))
            .build();

    try (PthFile file = PthFile.open(write(PthWriter.of(PthLayout.STATE_DICT).model(state)))) {
      List<Entry<FileTensor>> read = file.model(PthLayout.STATE_DICT).entries();
      assertThat(read.get(0).tensor().storage().isSameAs(read.get(1).tensor().storage())).isTrue();
      assertThat(read.get(0).tensor().storage().overlaps(read.get(2).tensor().storage())).isFalse();
    }
  }

  @Test
  void valuesAreReadBack() throws IOException {
    Path path =
        write(
            PthWriter.of(PthLayout.TIMM)
                .model(floats("w", 1))
                .value("text", "\u00fc\ud83d\ude00")
                .value("yes", true)
                .value("no", false)
                .value("byte", (byte) -1)
                .value("short", (short) 300)
                .value("int", 1 << 20)
                .value("least", Long.MIN_VALUE)
                .value("large", BigInteger.TWO.pow(100))
                .value("float", 0.5f)
                .value("double", -0.1)
                .value("none", null)
                .value("list", List.of(1, List.of("x")))
                .value("map", Map.of("k", Map.of("l", 2))));

    try (PthFile file = PthFile.open(path)) {
      assertThat(file.values())
          .containsExactly(
              Map.entry("version", 2L),
              Map.entry("text", "\u00fc\ud83d\ude00"),
              Map.entry("yes", true),
              Map.entry("no", false),
              Map.entry("byte", -1L),
              Map.entry("short", 300L),
              Map.entry("int", 1L << 20),
              Map.entry("least", Long.MIN_VALUE),
              Map.entry("large", BigInteger.TWO.pow(100)),
              Map.entry("float", 0.5),
              Map.entry("double", -0.1));
      assertThat(file.keys()).contains("none", "list", "map", "state_dict");
    }
  }

  @Test
  void theSameContentMakesTheSameBytes() throws IOException {
    PthWriter writer = PthWriter.of(PthLayout.TIMM).model(floats("w", 1)).value("epoch", 1);
    byte[] first = Files.readAllBytes(write(writer));
    Path second = folder.resolve("elsewhere.pth.tar");
    writer.write(second);

    assertThat(Files.readAllBytes(second)).isEqualTo(first);
  }

  @Test
  void everyStorageBeginsAtAMultipleOf64() throws IOException {
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .parameter("a", ArrayTensor.of(new float[1], 1))
            .parameter("b", ArrayTensor.of(new double[3], 3))
            .build();

    byte[] bytes = Files.readAllBytes(write(PthWriter.of(PthLayout.STATE_DICT).model(state)));

    assertThat(ZipDirectory.read(FileBytes.of(folder, ByteBuffer.wrap(bytes))).values())
        .hasSize(5)
        .allSatisfy(entry -> assertThat(entry.offset() % 64).isZero());
  }

  @Test
  void whatALayoutHasNoPlaceForIsRefused() {
    StateDict<ArrayTensor> state = floats("w", 1);

    assertThatThrownBy(() -> PthWriter.of(PthLayout.AVERAGED_MODEL).model(state))
        .hasMessage("the layout averaged-model has no model's weights");
    assertThatThrownBy(() -> PthWriter.of(PthLayout.STATE_DICT).average(state))
        .hasMessage("the layout state-dict has no average");
    assertThatThrownBy(() -> PthWriter.of(PthLayout.TIMM).updates(1))
        .hasMessage("the layout timm does not count updates");
    assertThatThrownBy(() -> PthWriter.of(PthLayout.MMENGINE).updates(-1))
        .hasMessage("updates must not be negative, but was -1");
    assertThatThrownBy(() -> PthWriter.of(PthLayout.TIMM).value("state_dict", 1))
        .hasMessage("the layout timm has no place for a value under 'state_dict'");
    assertThatThrownBy(() -> PthWriter.of(PthLayout.STATE_DICT).value("epoch", 1))
        .hasMessage("the layout state-dict has no place for a value under 'epoch'");
    assertThatThrownBy(() -> PthLayout.STATE_DICT.withAveragedModel())
        .hasMessage("state-dict has no average");
  }

  @Test
  void whatALayoutNeedsIsAskedFor() {
    Path path = folder.resolve("x.pth");
    StateDict<ArrayTensor> state = floats("w", 1);

    assertThatThrownBy(() -> PthWriter.of(PthLayout.TIMM).write(path))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("neither a model nor an average was given");
    assertThatThrownBy(() -> PthWriter.of(PthLayout.MMENGINE).average(state).write(path))
        .hasMessageContaining("has an average only beside the model's weights; give these too");
    assertThatThrownBy(() -> PthWriter.of(PthLayout.AVERAGED_MODEL).average(state).write(path))
        .hasMessage("the layout averaged-model counts updates; say how many by updates(n)");
    assertThat(path).doesNotExist();
  }

  @Test
  void keysOfALayoutAreApart() {
    for (List<String> keys :
        List.of(
            List.of("a", "a"),
            List.of("a", "a/b"),
            List.of("a/b", "a"),
            List.of("", "a"),
            List.of("a", ""))) {
      assertThatThrownBy(() -> PthLayout.of(keys.get(0), keys.get(1)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageEndingWith("must be apart");
    }
    assertThat(PthLayout.of("a", "ab").toString()).isEqualTo("a and ab");
  }

  @Test
  void valuesThatPythonHasNotAreRefused() {
    PthWriter writer = PthWriter.of(PthLayout.TIMM);
    List<Object> itself = new ArrayList<>();
    itself.add(itself);

    assertThatThrownBy(() -> writer.value("x", new int[1]))
        .hasMessageContaining("text, a list or a map, but was a [I");
    assertThatThrownBy(() -> writer.value("x", Map.of(1, 2)))
        .hasMessage("a key to be written must be text, but was 1");
    assertThatThrownBy(() -> writer.value("x", new HashMap<>(Map.of("k", 'c'))))
        .hasMessageContaining("but was a java.lang.Character: c");
    assertThatThrownBy(() -> writer.value("x", "\ud800"))
        .hasMessage("text to be written has half a surrogate pair");
    assertThatThrownBy(() -> writer.value("x", BigInteger.ONE.shiftLeft(2040)))
        .hasMessage("an integer to be written has at most 255 bytes, but has 256");
    assertThatThrownBy(() -> writer.value("x", itself)).hasMessageContaining("or contains itself");
  }

  @Test
  void aFailedWriteLeavesTheOldFile() throws IOException {
    Path path = write(PthWriter.of(PthLayout.STATE_DICT).model(floats("w", 1)));
    byte[] before = Files.readAllBytes(path);
    PthFile closed = PthFile.open(path);
    StateDict<FileTensor> state = closed.model(PthLayout.STATE_DICT);
    closed.close();

    assertThatThrownBy(() -> PthWriter.of(PthLayout.STATE_DICT).model(state).write(path))
        .isInstanceOf(IllegalStateException.class);
    assertThat(Files.readAllBytes(path)).isEqualTo(before);
    try (java.util.stream.Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(path);
    }
  }
}
