package io.github.ema4j.cli;

import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.PthFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** What files carry to tell damage by. */
final class Digest {
  private static final String KEY = "ema4j.sha256";

  private Digest() {}

  /** Tells whether a key of the metadata has a safetensors file's digest. */
  static boolean is(String key) {
    return key.equals(KEY);
  }

  /** Tells whether a file has one: our safetensors files do, and PyTorch's zip files. */
  static boolean has(Path file, Checkpoint checkpoint) throws IOException {
    return PthFile.isOne(file) ? isZip(file) : checkpoint.metadata().containsKey(KEY);
  }

  /** Tells whether a file begins as zip files do. */
  static boolean isZip(Path file) throws IOException {
    try (InputStream bytes = Files.newInputStream(file)) {
      return bytes.read() == 'P' && bytes.read() == 'K';
    }
  }
}
