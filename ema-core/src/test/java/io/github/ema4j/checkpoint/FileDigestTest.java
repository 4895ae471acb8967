package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileDigestTest {
  private static final int PIECE = 16 << 20;
  private static final byte[] BLANK = new byte[64];

  @TempDir private Path folder;

  private Path random(int bytes) throws IOException {
    byte[] content = new byte[bytes];
    new Random(bytes).nextBytes(content);
    return Files.write(folder.resolve("random"), content);
  }

  /** Within one read, across two of them and across two pieces, at both ends. */
  @ParameterizedTest
  @ValueSource(ints = {0, 100, (1 << 20) - 30, PIECE - 1, PIECE - 64, 2 * PIECE + 936})
  void theBlankIsWhereItBelongs(int from) throws IOException {
    Path path = random(2 * PIECE + 1000);
    byte[] blanked = Files.readAllBytes(path);
    Arrays.fill(blanked, from, from + 64, (byte) 0);
    FileDigest expected = new FileDigest();
    expected.update(ByteBuffer.wrap(blanked));

    try (FileBytes file = FileBytes.map(path)) {
      assertThat(FileDigest.of(file, BLANK, from)).isEqualTo(expected.value());
    }
  }

  @Test
  void aFileThatIsCutOffMeanwhileIsRefused() throws IOException {
    Path path = random(2 * PIECE);

    try (FileBytes file = FileBytes.map(path)) {
      try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
        channel.truncate(1000);
      }
      assertThatThrownBy(() -> FileDigest.of(file, BLANK, 0))
          .isInstanceOf(CheckpointException.class)
          .hasMessageMatching(".*random: it was cut off at byte \\d+ while it was open, .*");
    }
  }

  @Test
  void whatIsReadIsTheFileThatWasOpened() throws IOException {
    Path path = random(1000);

    try (FileBytes file = FileBytes.map(path)) {
      String before = FileDigest.of(file, BLANK, 0);
      Files.delete(path);
      random(1001);
      assertThat(FileDigest.of(file, BLANK, 0)).isEqualTo(before);
    }
  }

  @Test
  void aThreadThatIsInterruptedReadsAllTheSame() throws IOException {
    try (FileBytes file = FileBytes.map(random(1000))) {
      String digest = FileDigest.of(file, BLANK, 0);
      Thread.currentThread().interrupt();
      try {
        assertThat(FileDigest.of(file, BLANK, 0)).isEqualTo(digest);
      } finally {
        assertThat(Thread.interrupted()).isTrue();
      }
      assertThat(FileDigest.of(file, BLANK, 0)).isEqualTo(digest);
    }
  }

  @Test
  void aClosedFileIsNotRead() throws IOException {
    FileBytes file = FileBytes.map(random(1000));
    file.close();

    assertThatThrownBy(() -> FileDigest.of(file, BLANK, 0))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is closed");
  }
}
