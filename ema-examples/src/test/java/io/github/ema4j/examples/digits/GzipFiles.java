package io.github.ema4j.examples.digits;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;

/** Makes data files. */
final class GzipFiles {
  private GzipFiles() {}

  static byte[] gzipped(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream gzip = new GZIPOutputStream(bytes)) {
      gzip.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }

  static Path write(Path directory, String text) throws IOException {
    return Files.write(directory.resolve("images.csv.gz"), gzipped(text));
  }

  /** A row whose pixels are all the same. */
  static String row(int pixels, String pixel, String label) {
    return (pixel + ",").repeat(pixels) + label + "\n";
  }

  /** Random images of 0 to 255 whose label is in their top left corner. */
  static String randomImages(int rows, int side, int classes) {
    Random random = new Random(7);
    return IntStream.range(0, rows)
        .mapToObj(
            i -> {
              int label = i % classes;
              String rest =
                  random
                      .ints((long) side * side - 1, 0, 256)
                      .mapToObj(String::valueOf)
                      .collect(Collectors.joining(","));
              return label * 255 / classes + "," + rest + "," + label + "\n";
            })
        .collect(Collectors.joining());
  }
}
