package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.io.ByteStreams;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ZipWriterTest {
  @TempDir private Path folder;

  private Path write(long tooLarge, List<byte[]> contents) throws IOException {
    Path path = folder.resolve("written.zip");
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      ZipWriter zip = new ZipWriter(channel, tooLarge);
      for (int i = 0; i < contents.size(); i++) {
        zip.add("a/" + i, contents.get(i));
      }
      zip.finish();
    }
    return path;
  }

  /** Where sizes count as large from 100 bytes on, so do the places of all entries but one. */
  @ParameterizedTest
  @ValueSource(longs = {ZipWriter.TOO_LARGE, 100, 1})
  void whatIsWrittenIsReadByJavaAndHere(long tooLarge) throws IOException {
    List<byte[]> contents = List.of(new byte[] {1, 2, 3}, new byte[200], new byte[0], new byte[64]);

    Path path = write(tooLarge, contents);

    try (ZipFile zip = new ZipFile(path.toFile());
        FileBytes bytes = FileBytes.map(path)) {
      assertThat(ZipDirectory.read(bytes).keySet()).containsExactly("a/0", "a/1", "a/2", "a/3");
      for (ZipEntry entry : Collections.list(zip.entries())) {
        int index = Integer.parseInt(entry.getName().substring(2));
        assertThat(ByteStreams.toByteArray(zip.getInputStream(entry)))
            .isEqualTo(contents.get(index));
        io.github.ema4j.checkpoint.ZipEntry here = ZipDirectory.read(bytes).get(entry.getName());
        assertThat(here.bytes()).isEqualTo(contents.get(index).length);
        assertThat(here.crc32()).isEqualTo(entry.getCrc());
        assertThat(here.offset() % 64).isZero();
      }
    }
  }

  @Test
  void contentOfAnotherLengthIsRefused() throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            folder.resolve("x"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      ZipWriter zip = new ZipWriter(channel, ZipWriter.TOO_LARGE);

      assertThatThrownBy(
              () -> zip.add("a/0", 2, output -> output.write(ByteBuffer.wrap(new byte[1]))))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("'a/0' has 1 bytes instead of 2");
    }
  }
}
