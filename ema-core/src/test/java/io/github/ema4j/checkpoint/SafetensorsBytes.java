package io.github.ema4j.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Makes safetensors files, sound or not. */
final class SafetensorsBytes {

  private SafetensorsBytes() {}

  /** Returns a file whose header is as long as it says. */
  static byte[] file(String header, byte... data) {
    return file(header.getBytes(StandardCharsets.UTF_8).length, header, data);
  }

  /** Returns a file whose header claims some length. */
  static byte[] file(long headerLength, String header, byte... data) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(Long.BYTES + json.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(headerLength)
        .put(json)
        .put(data)
        .array();
  }

  static TensorFile read(byte[] file) {
    return Safetensors.read(FileBytes.of(Path.of("test.safetensors"), ByteBuffer.wrap(file)));
  }

  static Path write(Path path, byte[] file) {
    try {
      return Files.write(path, file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
