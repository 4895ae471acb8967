package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.primitives.Bytes;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that were damaged, by chance or on purpose: all are refused in one way. */
class PthRobustnessTest {
  private static final long SEED = 20261124;

  /** Reads all of a file. Whatever is wrong with it, it must be told as such. */
  static void readAll(byte[] bytes) {
    try (PthFile file =
        PthFile.read(FileBytes.of(Path.of("test.pth"), ByteBuffer.wrap(bytes)), Set.of())) {
      for (String key : file.keys()) {
        try {
          Golden.content(file.stateDict(key));
        } catch (CheckpointException e) {
          // Not every key has tensors.
        }
      }
      file.values();
      file.updates(PthLayout.MMENGINE);
    }
  }

  private static boolean isRefused(byte[] bytes) {
    try {
      readAll(bytes);
      return false;
    } catch (CheckpointException e) {
      return true;
    }
  }

  private static void assertRefused(byte[] bytes, String reason) {
    assertThatThrownBy(() -> readAll(bytes))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(reason);
  }

  @ParameterizedTest
  @CsvSource({"timm-checkpoint-legacy.pth.tar, 5", "strided.pth, 1"})
  void truncatedFilesAreRefused(String name, int step) {
    byte[] bytes = Golden.bytes(name);
    for (int length = 0; length < bytes.length; length += step) {
      assertThat(isRefused(Arrays.copyOf(bytes, length))).isTrue();
    }
    assertRefused(Bytes.concat(bytes, new byte[1]), "test.pth: ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "timm-checkpoint-legacy.pth.tar",
        "timm-checkpoint.pth.tar",
        "strided.pth",
        "pth/mmengine.pth",
        "pth/odds.pth"
      })
  void damageIsToldOrHarmless(String name) {
    Random random = new Random(SEED);
    byte[] sound = Golden.bytes(name);
    for (int i = 0; i < 1_000; i++) {
      byte[] bytes = sound.clone();
      for (int n = random.nextInt(4); n >= 0; n--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
      }
      try {
        isRefused(bytes);
      } catch (RuntimeException | Error e) {
        throw new AssertionError("seed " + SEED + ", attempt " + i, e);
      }
    }
  }

  @Test
  void whatIsNoFileOfPyTorchIsRefused() {
    assertRefused(new byte[0], "it is no file of torch.save: neither a zip file nor a pickle");
    assertRefused(new byte[] {'P', 'K', 3}, "neither a zip file nor a pickle");
    assertRefused(new byte[] {'{', '}'}, "neither a zip file nor a pickle");
  }

  private static final String STORAGE = "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\2tQ";
  private static final String TENSOR =
      "ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + "K\0K\2\u0085K\1\u0085\u0089NtR";
  private static final String PICKLE = "\u0080\2}U\1s}U\1w" + TENSOR + "ss.";

  private static ZipBytes zip(String pickle, String version, String storage) {
    ZipBytes zip = new ZipBytes();
    zip.add("a/data.pkl", pickle);
    zip.add("a/data/0", storage);
    zip.add("a/version", version);
    return zip;
  }

  @Test
  void zipFilesMadeByHandAreRead() {
    readAll(zip(PICKLE, "3\n", "12345678").build());
    readAll(zip(PICKLE, "10\n", "12345678").build());
  }

  @ParameterizedTest
  @CsvSource({
    "'4\n', 1234567, 'a/data/0': its 2 elements of type F32 take 8 bytes; but it has 7",
    "'4\n', 123456789, take 8 bytes; but it has 9",
    "'11\n', 12345678, 'version': versions 1 to 10 are read; but this is 11",
    "'', 12345678, versions 1 to 10 are read",
    "'0\n', 12345678, versions 1 to 10 are read",
    "'99999999999999999999', 12345678, versions 1 to 10 are read",
  })
  void zipFilesAreAsTheyShouldBe(String version, String storage, String reason) {
    assertRefused(
        zip(PICKLE, version.translateEscapes(), storage).build(), reason.replace(';', ','));
  }

  @Test
  void zipFilesAreWhole() {
    ZipBytes withoutStorage = new ZipBytes();
    withoutStorage.add("a/data.pkl", PICKLE);
    withoutStorage.add("a/version", "3\n");
    ZipBytes withoutPickle = new ZipBytes();
    withoutPickle.add("a/version", "3\n");
    ZipBytes otherFolder = zip(PICKLE, "3\n", "12345678");
    otherFolder.add("b/data/1", "");
    ZipBytes noFolder = new ZipBytes();
    noFolder.add("data.pkl", PICKLE);

    assertRefused(withoutStorage.build(), "'data/0': it is missing");
    assertRefused(withoutPickle.build(), "'data.pkl': it is missing");
    assertRefused(otherFolder.build(), "'b/data/1': it is not in one folder");
    assertRefused(noFolder.build(), "'data.pkl': it is not in one folder");
    assertRefused(new ZipBytes().build(), "it is no file of torch.save");
    assertRefused(zip(PICKLE + "N", "3\n", "12345678").build(), "1 bytes follow the pickle");
  }

  @Test
  void compressedEntriesAreNotInflated() {
    ZipBytes storage = new ZipBytes();
    storage.add("a/data.pkl", PICKLE);
    storage.add("a/version", "3\n");
    storage.add("a/data/0", "12345678").method = 8;
    ZipBytes pickle = new ZipBytes();
    pickle.add("a/data.pkl", PICKLE).original = 1 << 30;
    pickle.add("a/version", "3\n");

    assertRefused(storage.build(), "'a/data/0': it is compressed, which torch.save never does");
    assertRefused(pickle.build(), "'a/data.pkl': it is compressed");
  }

  @Test
  void theOrderOfBytesIsOneOfTwo() {
    ZipBytes zip = zip(PICKLE, "3\n", "12345678");
    zip.add("a/byteorder", "middle");

    assertRefused(zip.build(), "'byteorder': it must be little or big, but is middle");
  }

  @Test
  void damagedPicklesAreRefused() {
    ZipBytes zip = new ZipBytes();
    zip.add("a/data.pkl", PICKLE).crc ^= 1;
    zip.add("a/version", "3\n");

    assertRefused(zip.build(), "'a/data.pkl': it is damaged: its checksum is ");
  }

  @Test
  void picklesHaveALimit() {
    assertRefused(
        zip("N".repeat(PthPickle.MAX_BYTES + 1), "3\n", "").build(),
        "a pickle may have 33554432 bytes, but this has 33554433");
  }

  private static byte[] legacy(String magic, String version, String keys, String storages) {
    String text = magic + version + "\u0080\2}." + PICKLE + keys + storages;
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static byte[] legacy(String keys, String storages) {
    String magic = "\u0080\2\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019.";
    return legacy(magic, "\u0080\2M\u00e9\3.", "\u0080\2" + keys + ".", storages);
  }

  private static final String TWO_FLOATS = "\2\0\0\0\0\0\0\00012345678";

  @Test
  void legacyFilesMadeByHandAreRead() {
    readAll(legacy("](U\0010e", TWO_FLOATS));
  }

  @Test
  void legacyFilesAreAsTheyShouldBe() {
    assertRefused(legacy("\u0080\2N.", "", "", ""), "'magic number': it must be 1195470371");
    assertRefused(
        legacy("\u0080\2\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019.", "\u0080\2K\1.", "", ""),
        "'version': it must be 1001, but is 1");
    assertRefused(legacy("}", ""), "'keys': they must be a list, but are a dict");
    assertRefused(legacy("](U\0011e", ""), "'keys': no tensor is in the storage '1'");
    assertRefused(legacy("])\u0085a", ""), "'keys': no tensor is in the storage a tuple");
    assertRefused(legacy("]", ""), "'0': the storage is missing");
    assertRefused(legacy("](U\0010e", "\2\0\0"), "'0': the storage is not all there");
    assertRefused(legacy("](U\0010e", "\2\0\0\0\0\0\0\0001234567"), "the storage is not all there");
    assertRefused(
        legacy("](U\0010e", "\3\0\0\0\0\0\0\00012345678"),
        "'0': the storage has 3 elements, but its tensors need 2");
    assertRefused(
        legacy("](U\0010U\0010e", TWO_FLOATS + TWO_FLOATS), "'0': the storage is there twice");
    assertRefused(
        legacy("](U\0010e", TWO_FLOATS + "!"), "1 bytes follow the last storage; nothing may");
  }

  @Test
  void keysOfStoragesMayNestWithoutEnd() {
    assertRefused(
        legacy("](" + ")" + "\u0085".repeat(1_000_000) + "e", ""),
        "'keys': no tensor is in the storage a tuple");
  }
}
