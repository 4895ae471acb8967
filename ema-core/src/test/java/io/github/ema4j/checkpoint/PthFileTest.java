package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reads what {@code src/test/python/make_pth.py} wrote. */
class PthFileTest {
  /** The weights that start with 1, and those that start with 11. */
  private static final Map<String, String> ONE =
      Map.of(
          "a", "F32 [2, 3]: 3f800000 40000000 40400000 40800000 40a00000 40c00000",
          "b", "F64 [2]: 401c000000000000 c020000000000000",
          "n", "I64 []: 2");

  private static final Map<String, String> ELEVEN =
      Map.of(
          "a", "F32 [2, 3]: 41300000 41400000 41500000 41600000 41700000 41800000",
          "b", "F64 [2]: 4031000000000000 c032000000000000",
          "n", "I64 []: 2");

  @TempDir private Path folder;

  private static PthFile open(String name, String... ignored) throws IOException {
    return PthFile.open(Golden.path("pth/" + name), Set.of(ignored));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "plain.pth",
        "protocol-4.pth",
        "protocol-5.pth",
        "protocol-4-legacy.pth",
        "no-checksums.pth",
        "big-endian.pth"
      })
  void everyFormatIsRead(String name) throws IOException {
    try (PthFile file = open(name)) {
      assertThat(Golden.content(file.model(PthLayout.STATE_DICT))).isEqualTo(ONE);
      assertThat(file.model(PthLayout.STATE_DICT).entries())
          .extracting(Entry::name)
          .containsExactly("a", "b", "n");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"plain.pth", "protocol-4-legacy.pth", "big-endian.pth"})
  void anAverageIsLoadedFromAFile(String name) throws IOException {
    float[] a = new float[6];
    double[] b = new double[2];
    StateDict<ArrayTensor> model = model(a, b);
    try (PthFile file = open(name);
        ModelEma<StateDict<ArrayTensor>> ema =
            ModelEma.builder(ArrayBackend.adapter())
                .strategy(EmaStrategy.nameMatched(0.9))
                .build(model)) {
      ema.load(file.model(PthLayout.STATE_DICT));
      ema.copyTo(model);
    }

    assertThat(a).containsExactly(1, 2, 3, 4, 5, 6);
    assertThat(b).containsExactly(7, -8);
  }

  private static StateDict<ArrayTensor> model(float[] a, double[] b) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("a", ArrayTensor.of(a, 2, 3))
        .parameter("b", ArrayTensor.of(b, 2))
        .counter("n", ArrayTensor.of(new long[1]))
        .build();
  }

  @Test
  void everyLayoutIsFoundByName() {
    assertThat(
            List.of(
                PthLayout.named("timm"),
                PthLayout.named("plain"),
                PthLayout.named("state-dict"),
                PthLayout.named("averaged-model"),
                PthLayout.named("mmengine")))
        .containsExactly(
            PthLayout.TIMM,
            PthLayout.PLAIN,
            PthLayout.STATE_DICT,
            PthLayout.AVERAGED_MODEL,
            PthLayout.MMENGINE);
    assertThatThrownBy(() -> PthLayout.named("timn"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "layout must be one of [timm, plain, state-dict, averaged-model, mmengine],"
                + " but was timn");
  }

  @ParameterizedTest
  @CsvSource({
    "timm-checkpoint.pth.tar, timm",
    "timm-checkpoint-legacy.pth.tar, timm",
    "checkpoint.pth, plain",
  })
  void modelAndAverageAreWhereTheLayoutSays(String name, String layoutName) throws IOException {
    PthLayout layout = PthLayout.named(layoutName);
    try (PthFile file = PthFile.open(Golden.path(name));
        TensorFile expected =
            TensorFile.open(Golden.path("timm-checkpoint.expected.safetensors"))) {
      assertThat(file.hasAverage(layout)).isTrue();
      assertThat(Golden.content(file.model(layout)))
          .isEqualTo(Golden.content(expected.stateDict("state_dict/")));
      assertThat(Golden.content(file.average(layout)))
          .isEqualTo(Golden.content(expected.stateDict("state_dict_ema/")));
      assertThat(file.updates(layout)).isEmpty();
    }
  }

  @Test
  void mmengineHasTheAverageUnderStateDict() throws IOException {
    try (PthFile file = open("mmengine.pth")) {
      assertThat(file.hasAverage(PthLayout.MMENGINE)).isTrue();
      assertThat(Golden.content(file.average(PthLayout.MMENGINE))).isEqualTo(ELEVEN);
      assertThat(Golden.content(file.model(PthLayout.MMENGINE))).isEqualTo(ONE);
      assertThat(file.updates(PthLayout.MMENGINE)).isEqualTo(OptionalLong.of(7));
    }
  }

  @Test
  void whatMmengineMayHaveWrittenIsNotGuessed() throws IOException {
    Path path = Golden.path("pth/mmengine.pth");

    assertThatThrownBy(() -> Checkpoint.open(path))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("open it with the layout that fits, such as mmengine or timm");
    try (Checkpoint checkpoint = Checkpoint.open(path, PthLayout.MMENGINE)) {
      SavedAverage average = checkpoint.averages().values().asList().get(0);
      assertThat(Golden.content(average.weights())).isEqualTo(ELEVEN);
    }
  }

  @Test
  void anAveragedModelHasItsCountBesideIt() throws IOException {
    try (PthFile file = open("averaged-model.pth")) {
      assertThat(Golden.content(file.average(PthLayout.AVERAGED_MODEL))).isEqualTo(ELEVEN);
      assertThat(file.updates(PthLayout.AVERAGED_MODEL)).isEqualTo(OptionalLong.of(7));
      assertThatThrownBy(() -> file.model(PthLayout.AVERAGED_MODEL))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("the layout averaged-model has no such state dict");
    }
  }

  @Test
  void keysOfTheUsersOwnAreALayout() throws IOException {
    PthLayout torchvision = PthLayout.of("model", "model_ema").withAveragedModel();
    PthLayout nested = PthLayout.of("trainer/net", "trainer/ema/state");
    try (PthFile file = open("torchvision.pth");
        PthFile deep = open("nested.pth")) {
      assertThat(Golden.content(file.model(torchvision))).isEqualTo(ONE);
      assertThat(Golden.content(file.average(torchvision))).isEqualTo(ELEVEN);
      assertThat(file.updates(torchvision)).isEqualTo(OptionalLong.of(7));
      assertThat(Golden.content(deep.model(nested))).isEqualTo(ONE);
      assertThat(Golden.content(deep.average(nested))).isEqualTo(ELEVEN);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "timm-checkpoint-without-ema.pth.tar, timm",
    "pth/mmengine-without-ema.pth, mmengine",
    "state-dict-only.pth, state-dict",
  })
  void withoutAnAverageItStartsFromTheWeightsAndWarns(String name, String layoutName)
      throws IOException {
    PthLayout layout = PthLayout.named(layoutName);
    try (PthFile file = PthFile.open(Golden.path(name));
        LogRecords log = LogRecords.of(PthFile.class)) {
      assertThat(file.hasAverage(layout)).isFalse();
      assertThat(Golden.content(file.average(layout)))
          .isEqualTo(Golden.content(file.model(layout)));
      assertThat(log.warnings())
          .singleElement()
          .asString()
          .endsWith(
              " has no average as " + layoutName + " has it; starting from the model's weights");
    }
  }

  @Test
  void aFileOfAnotherLayoutIsRefusedWithItsKeys() throws IOException {
    try (PthFile file = PthFile.open(Golden.path("timm-checkpoint.pth.tar"))) {
      assertThatThrownBy(() -> file.average(PthLayout.PLAIN))
          .isInstanceOf(CheckpointException.class)
          .hasMessageEndingWith(
              "timm-checkpoint.pth.tar: 'model_state_dict': there is no such dict; the file has the"
                  + " keys epoch, arch, state_dict, state_dict_ema, optimizer, version, metric");
      assertThatThrownBy(() -> file.model(PthLayout.STATE_DICT))
          .hasMessageContaining("it has no tensors, but the keys epoch, arch");
    }
  }

  @Test
  void whatIsNoTensorIsReadPast() throws IOException {
    try (PthFile file = open("odds.pth");
        LogRecords log = LogRecords.of(PthFile.class)) {
      assertThat(Golden.content(file.stateDict("state_dict")))
          .containsExactlyInAnyOrderEntriesOf(
              Map.of(
                  "parameter", "F32 [1]: 40e00000",
                  "attributed", "F32 [2]: 3f800000 40000000",
                  "with_attribute", "F32 [1]: 40400000",
                  "tied", "F32 [3]: 40800000 40a00000 40c00000",
                  "tail", "F32 [2]: 40a00000 40c00000",
                  "expanded", "F32 [2, 3]: 41000000 41000000 41000000 41000000 41000000 41000000"));
      assertThat(log.warnings())
          .singleElement()
          .asString()
          .endsWith("left out of 'state_dict', as they are no tensors: '_extra_state'");
      assertThat(file.values())
          .containsOnlyKeys("large", "negative", "flag", "text")
          .containsEntry("negative", -5L)
          .containsEntry("flag", true)
          .containsEntry("text", "\u00fc\ud83d\ude00")
          .containsEntry("large", new java.math.BigInteger("1000000000000000000000000000000"));
    }
  }

  @Test
  void viewsOfOneStorageShareIt() throws IOException {
    try (PthFile file = open("odds.pth")) {
      StateDict<FileTensor> state = file.stateDict("state_dict");
      Map<String, FileTensor> tensors =
          state.entries().stream()
              .collect(java.util.stream.Collectors.toMap(Entry::name, Entry::tensor));

      assertThat(
              state
                  .backend()
                  .storage(tensors.get("tied"))
                  .overlaps(state.backend().storage(tensors.get("tail"))))
          .isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "numpy-scalar.pth, numpy._core.multiarray.scalar",
    "complex.pth, torch.ComplexFloatStorage",
    "float8.pth, torch._utils._rebuild_tensor_v3",
    "module.pth, torch.nn.modules.linear.Linear",
  })
  void whatIsNotKnownIsRefusedByName(String name, String refused) {
    assertThatThrownBy(() -> open(name))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(name + ": '")
        .hasMessageContaining("data.pkl': it holds Python objects that are not read: ")
        .hasMessageContaining(refused)
        .hasMessageContaining("nothing of them was executed");
  }

  @Test
  void allThatIsNotKnownIsToldAtOnce() {
    assertThatThrownBy(() -> open("numpy-scalar.pth"))
        .hasMessageContaining(
            "not read: numpy._core.multiarray.scalar, numpy.dtype; nothing of them was executed");
  }

  @Test
  void whatTheUserIgnoresIsReadPast() throws IOException {
    try (PthFile file = open("numpy-scalar.pth", "numpy._core.multiarray.scalar", "numpy.dtype");
        PthFile complex = open("complex.pth", "torch.ComplexFloatStorage")) {
      assertThat(Golden.content(file.stateDict("state_dict"))).isEqualTo(ONE);
      assertThat(file.keys()).containsExactly("state_dict", "best");
      assertThat(file.values()).isEmpty();
      assertThatThrownBy(() -> complex.stateDict("state_dict"))
          .hasMessageContaining("it has no tensors, but the keys z");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "negated.pth | a tensor's values are to be changed on reading: [neg]",
        "module-legacy.pth | the file holds a 'module', such as a whole model",
        "script.pt | it is a TorchScript program",
      })
  void whatCannotBeReadIsExplained(String name, String reason) {
    assertThatThrownBy(() -> open(name))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(reason);
  }

  @Test
  void damagedWeightsAreNotHandedOut() throws IOException {
    byte[] bytes = Golden.bytes("timm-checkpoint.pth.tar");
    Path path = folder.resolve("damaged.pth.tar");
    try (PthFile file = PthFile.open(Golden.path("timm-checkpoint.pth.tar"))) {
      FileTensor tensor = file.average(PthLayout.TIMM).entries().get(2).tensor();
      bytes[(int) tensor.storage().begin()] ^= 1;
    }
    Files.write(path, bytes);

    try (PthFile file = PthFile.open(path)) {
      assertThat(file.model(PthLayout.TIMM).entries()).isNotEmpty();
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> file.average(PthLayout.TIMM))
            .isInstanceOf(CheckpointException.class)
            .hasMessageContaining("/data/14': it is damaged: its checksum is ");
      }
    }
  }

  /** Also where no state dict has them: here the optimiser's. */
  @Test
  void verifyingFindsDamageAnywhere() throws IOException {
    byte[] sound = Golden.bytes("timm-checkpoint.pth.tar");
    FileBytes bytes = FileBytes.of(Path.of("test"), ByteBuffer.wrap(sound));
    Path path = folder.resolve("damaged.pth.tar");
    for (ZipEntry entry : ZipDirectory.read(bytes).values()) {
      if (entry.bytes() > 0 && entry.name().contains("/data/")) {
        byte[] damaged = sound.clone();
        damaged[(int) entry.offset()] ^= 1;
        Files.write(path, damaged);

        try (PthFile file = PthFile.open(path)) {
          assertThatThrownBy(file::verify)
              .isInstanceOf(CheckpointException.class)
              .hasMessageContaining("'" + entry.name() + "': it is damaged");
        }
      }
    }
    Files.write(path, sound);
    try (PthFile file = PthFile.open(path)) {
      file.verify();
    }
  }

  @Test
  void aCheckpointVerifiesItsPyTorchFileAgain() throws IOException {
    Path path = folder.resolve("checkpoint.pth.tar");
    Files.copy(Golden.path("timm-checkpoint.pth.tar"), path);
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      checkpoint.verify();
      FileTensor tensor = checkpoint.model().orElseThrow().entries().get(0).tensor();
      try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
        file.seek(tensor.storage().begin());
        int first = file.read();
        file.seek(tensor.storage().begin());
        file.write(first ^ 1);
      }

      assertThatThrownBy(checkpoint::verify)
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("it is damaged");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"plain.pth", "protocol-4-legacy.pth"})
  void aClosedFileIsNotVerified(String name) throws IOException {
    PthFile file = open(name);
    file.verify();
    file.close();

    assertThatThrownBy(file::verify)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is closed");
  }

  @Test
  void tensorsOfAClosedFileAreNotUsed() throws IOException {
    PthFile file = open("plain.pth");
    StateDict<FileTensor> state = file.model(PthLayout.STATE_DICT);
    file.close();

    assertThatThrownBy(() -> state.backend().memory(state.entries().get(0).tensor()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is closed");
  }
}
