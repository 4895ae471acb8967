package io.github.ema4j.testkit;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import java.nio.charset.StandardCharsets;

/** Hashes of averaged states, in which all NaNs are one. */
final class Fingerprints {

  private Fingerprints() {}

  /**
   * Returns the SHA-256 of names, types, shapes and elements; entries with no elements are left
   * out.
   */
  static <S> String sha256(StateDict<S> state) {
    Hasher hasher = Hashing.sha256().newHasher();
    for (Entry<S> entry : state.entries()) {
      if (entry.spec().elements() > 0) {
        ElementType type = entry.spec().type();
        hasher.putString(entry.name(), StandardCharsets.UTF_8).putByte((byte) 0);
        hasher.putString(type.name(), StandardCharsets.UTF_8).putByte((byte) 0);
        entry.spec().shape().forEach(hasher::putLong);
        for (long bits : HostTensors.bits(state.backend(), entry.tensor())) {
          hasher.putLong(canonical(type, bits));
        }
      }
    }
    return hasher.hash().toString();
  }

  /** Returns the bits of an element, those of one NaN for every NaN. */
  static long canonical(ElementType type, long bits) {
    return type.isFloating() && Double.isNaN(Oracle.value(type, bits))
        ? Oracle.bits(type, Double.NaN)
        : bits;
  }
}
