package io.github.ema4j.examples;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.ImmutableList;
import com.google.common.hash.Hashing;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;

/**
 * The pictures in the documents show what the code does. Pixels depend on the machine's fonts, so
 * each file says, as a text of its own, the hash of the numbers that were drawn. {@code
 * -Dema.docs.write=true} draws the files anew.
 */
class PlotsTest {
  private static final Path DOCS = Path.of("").toAbsolutePath().resolveSibling("docs");
  private static final boolean WRITE = Boolean.getBoolean("ema.docs.write");

  /** The signature and the header chunk of every PNG file, after which texts may come. */
  private static final int HEADER = 33;

  static List<Picture> pictures() {
    return ImmutableList.<Picture>builder()
        .addAll(SchedulePlots.pictures())
        .addAll(SeriesPlots.pictures())
        .build();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("pictures")
  void thePictureShowsWhatTheCodeDoes(Picture picture) throws IOException {
    Path file = DOCS.resolve("plots").resolve(picture.name() + ".png");
    String text = "data SHA-256\0" + Hashing.sha256().hashString(picture.data(), UTF_8);
    if (WRITE) {
      Files.createDirectories(file.getParent());
      byte[] png = BitmapEncoder.getBitmapBytes(picture.chart(), BitmapFormat.PNG);
      Files.write(file, withText(png, text));
    }
    byte[] written = Files.readAllBytes(file);

    assertThat(new String(written, ISO_8859_1).contains(text))
        .as("%s is of these numbers; -Dema.docs.write=true draws it anew", file)
        .isTrue();
    assertThat(ImageIO.read(new ByteArrayInputStream(written)).getWidth())
        .isEqualTo(picture.chart().getWidth());
  }

  @Test
  void everyPictureIsInItsDocument() throws IOException {
    assertIn("schedules.md", SchedulePlots.pictures());
    assertIn("series.md", SeriesPlots.pictures());
  }

  private static void assertIn(String name, List<Picture> pictures) throws IOException {
    String document = Files.readString(DOCS.resolve(name));
    assertThat(pictures)
        .allSatisfy(
            picture -> assertThat(document).contains("](plots/" + picture.name() + ".png)"));
  }

  private static byte[] withText(byte[] png, String text) {
    byte[] chunk = ("tEXt" + text).getBytes(ISO_8859_1);
    CRC32 checksum = new CRC32();
    checksum.update(chunk);
    return ByteBuffer.allocate(png.length + chunk.length + 2 * Integer.BYTES)
        .put(png, 0, HEADER)
        .putInt(chunk.length - Integer.BYTES)
        .put(chunk)
        .putInt((int) checksum.getValue())
        .put(png, HEADER, png.length - HEADER)
        .array();
  }
}
