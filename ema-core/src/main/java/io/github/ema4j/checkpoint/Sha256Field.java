package io.github.ema4j.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * The field of a safetensors file's metadata that has the {@link FileDigest} of the file, computed
 * with zeros in the field's own place.
 */
final class Sha256Field {
  static final String KEY = "ema4j.sha256";
  static final int LENGTH = 64;
  static final String EMPTY = "0".repeat(LENGTH);

  /** JSON has no such text elsewhere, as quotes within strings are escaped. */
  private static final byte[] BEFORE = ("\"" + KEY + "\":\"").getBytes(StandardCharsets.UTF_8);

  private Sha256Field() {}

  /** Returns where in a header the field's value begins, if it has one. */
  static OptionalInt indexIn(byte[] header) {
    for (int i = 0; i <= header.length - BEFORE.length - LENGTH; i++) {
      if (Arrays.equals(header, i, i + BEFORE.length, BEFORE, 0, BEFORE.length)) {
        return OptionalInt.of(i + BEFORE.length);
      }
    }
    return OptionalInt.empty();
  }
}
