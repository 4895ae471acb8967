package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.primitives.Bytes;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ZipDirectoryTest {

  private static Map<String, ZipEntry> read(byte[] bytes) {
    return ZipDirectory.read(FileBytes.of(Path.of("test.zip"), ByteBuffer.wrap(bytes)));
  }

  private static void assertRefused(byte[] bytes, String reason) {
    assertThatThrownBy(() -> read(bytes))
        .isInstanceOf(CheckpointException.class)
        .hasMessageStartingWith("test.zip: ")
        .hasMessageContaining(reason);
  }

  /** Refuses two entries of which the second is changed. */
  private static void assertRefused(Consumer<ZipBytes.Entry> change, String reason) {
    ZipBytes zip = new ZipBytes();
    zip.add("a/x", "12345");
    change.accept(zip.add("a/y", "678"));
    assertRefused(zip.build(), reason);
  }

  private static ZipBytes two() {
    ZipBytes zip = new ZipBytes();
    zip.add("a/x", "12345");
    zip.add("a/y", "678");
    return zip;
  }

  @Test
  void entriesAreFoundWhereTheyLie() {
    assertThat(read(two().build()).values())
        .containsExactly(
            new ZipEntry("a/x", 33, 5, 0xcbf53a1cL, false),
            new ZipEntry("a/y", 71, 3, 0x67a2589aL, false));
    assertThat(read(new ZipBytes().build())).isEmpty();
  }

  @Test
  void largeFilesAreFoundByTheirZip64Records() {
    ZipBytes zip = two();
    zip.add("a/z", "9").zip64 = true;

    assertThat(read(zip.withZip64End(0).build()).get("a/z"))
        .extracting(ZipEntry::offset, ZipEntry::bytes)
        .containsExactly(107L, 1L);
  }

  @Test
  void compressedEntriesAreToldAndNotInflated() {
    ZipBytes zip = two();
    zip.add("a/method", "").method = 8;
    zip.add("a/size", "").original = Integer.MAX_VALUE;

    Map<String, ZipEntry> entries = read(zip.build());

    assertThat(entries.get("a/y").compressed()).isFalse();
    assertThat(entries.get("a/method").compressed()).isTrue();
    assertThat(entries.get("a/size").compressed()).isTrue();
  }

  @Test
  void everyTruncationIsRefused() {
    byte[] bytes = two().withZip64End(0).build();
    for (int length = 0; length < bytes.length; length++) {
      assertRefused(Arrays.copyOf(bytes, length), "it was cut off, or something was appended");
    }
  }

  @Test
  void filesThatSomethingWasAddedToAreRefused() {
    byte[] bytes = two().build();

    assertRefused(Bytes.concat(bytes, new byte[1]), "it was cut off, or something was appended");
    assertRefused(Bytes.concat(new byte[1], bytes), "the zip directory is said to be");
    assertRefused(Bytes.concat(bytes, bytes), "the zip directory is said to be");
    assertRefused(two().withComment().build(), "it was cut off, or something was appended");
  }

  @ParameterizedTest
  @CsvSource({
    "-1, 0, the zip directory has more than its 1 entries",
    "1, 0, the zip directory is damaged at its byte 98",
    "0, 1, but ends at",
    "0, -1, but ends at",
    "0, -200, but ends at",
  })
  void anEndThatDisagreesIsRefused(int count, int offset, String reason) {
    assertRefused(two().withCountOff(count).withOffsetOff(offset).build(), reason);
    assertRefused(two().withZip64End(0).withCountOff(count).withOffsetOff(offset).build(), reason);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 1, -10_000, 10_000})
  void aZip64EndElsewhereIsRefused(int off) {
    assertRefused(two().withZip64End(off).build(), "the zip64 end record is not where it is said");
  }

  @Test
  void aPartOfSeveralIsRefused() {
    assertRefused(two().onDisk(1).build(), "it is one of several parts of a zip file");
  }

  @Test
  void twoEndsMustAgree() {
    byte[] bytes = two().withZip64End(0).build();
    bytes[bytes.length - 12] = 1; // the number of entries

    assertRefused(bytes, "its two zip end records differ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", "/a", "a//b", "a/", "../a", "a/../b", "a/..", "./a", "a/.", "C:/a", "a\\b", "a\0b",
        "a\nb"
      })
  void namesThatAreNoPlainPathsAreRefused(String name) {
    ZipBytes zip = new ZipBytes();
    zip.add(name, "1");

    assertRefused(zip.build(), "the zip file has an entry with a name that is no plain path");
  }

  @Test
  void namesAreUnique() {
    ZipBytes zip = two();
    zip.add("a/x", "again");

    assertRefused(zip.build(), "'a/x': the zip file has two entries of this name");
  }

  @Test
  void whatAnEntrySaysOfItselfMustBeWhatTheDirectorySays() {
    assertRefused(entry -> entry.localName = "a/x", "its own header and the directory differ");
    assertRefused(entry -> entry.localName = "a/yy", "its own header and the directory differ");
    assertRefused(entry -> entry.localFlags = 8, "its own header and the directory differ");
    assertRefused(entry -> entry.flags = 1, "it is encrypted or patched: flags 0x0001");
  }

  @Test
  void entriesLieInTheFileAndApart() {
    assertRefused(
        entry -> entry.size = entry.original = 4, "'a/y': it is said to have 4 bytes from 71 on");
    assertRefused(
        entry -> entry.size = entry.original = 0xfffffffeL, "is said to have 4294967294 bytes");
    assertRefused(entry -> entry.header = 0, "its own header and the directory differ");
    assertRefused(entry -> entry.header = 1, "it has no header at byte 1 of the file");
    assertRefused(entry -> entry.header = 100_000, "said to be at byte 100000 of the file");
    assertRefused(
        entry -> {
          entry.zip64 = true;
          entry.header = -1;
        },
        "said to be at byte -1 of the file");
    assertRefused(
        entry -> {
          entry.zip64 = true;
          entry.size = entry.original = -1;
        },
        "is said to have -1 bytes");
    assertRefused(
        entry -> {
          entry.zip64 = true;
          entry.size = entry.original = Long.MAX_VALUE;
        },
        "is said to have 9223372036854775807 bytes");
    assertRefused(
        entry -> {
          entry.zip64 = true;
          entry.zip64Bytes = 16;
        },
        "its zip64 sizes are missing");
  }

  @Test
  void entriesThatContainOneAnotherAreRefused() {
    ZipBytes inner = new ZipBytes();
    inner.add("a/y", "678");
    byte[] hidden = Arrays.copyOf(inner.build(), 36);
    ZipBytes zip = new ZipBytes();
    zip.add("a/x", hidden);
    ZipBytes.Entry entry = zip.add("a/y", "678");
    entry.header = 33;

    assertRefused(zip.build(), "'a/x': it is said to have 36 bytes from 33 on, but what follows");
  }

  /** What {@code docs/security.md} promises, of what is allocated: what is kept is less. */
  @Test
  void memoryIsAtMostSoManyTimesTheDirectory() {
    ZipBytes zip = new ZipBytes();
    for (int i = 0; i < 10_000; i++) {
      zip.add("a/" + Integer.toString(i, 36), new byte[0]);
    }
    byte[] bytes = zip.build();
    read(two().build());

    long before = Allocated.bytes();
    assertThat(read(bytes)).hasSize(10_000);
    long allocated = Allocated.bytes() - before;

    assertThat(allocated).isLessThan(128L * bytes.length);
  }
}
