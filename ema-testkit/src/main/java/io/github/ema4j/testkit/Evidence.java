package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.base.Splitter;
import com.google.common.collect.ImmutableMap;
import com.google.common.io.Resources;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What one run of a rule found: how far results were off, and what they were. */
final class Evidence {
  private static final Map<String, String> EXPECTED = expected();

  private final Map<String, String> cases = new TreeMap<>();
  private double worstUlp;

  double worstUlp() {
    return worstUlp;
  }

  /** Returns the SHA-256 of each averaged state, by case. */
  Map<String, String> cases() {
    return cases;
  }

  /**
   * Checks that a state has just the values that it should have, NaNs being all alike, and notes
   * its hash as that of a case.
   */
  <S> void sameBits(String name, StateDict<S> actual, List<OracleAverage.Values> expected) {
    sameBits(actual, expected);
    String hash = Fingerprints.sha256(actual);
    cases.put(name, hash);
    assertThat(hash)
        .as("SHA-256 of case '%s', whose values are right", name)
        .isEqualTo(EXPECTED.getOrDefault(name, hash));
  }

  /** Checks that a state has just the values that it should have, NaNs being all alike. */
  <S> void sameBits(StateDict<S> actual, List<OracleAverage.Values> expected) {
    assertThat(actual.entries().stream().map(Entry::name).toList())
        .as("names of the state")
        .isEqualTo(expected.stream().map(OracleAverage.Values::name).toList());
    for (int k = 0; k < expected.size(); k++) {
      Entry<S> entry = actual.entries().get(k);
      sameBits(
          entry.name(),
          entry.spec().type(),
          HostTensors.bits(actual.backend(), entry.tensor()),
          expected.get(k));
    }
  }

  private void sameBits(
      String name, ElementType type, long[] actual, OracleAverage.Values expected) {
    assertThat(type).as("type of '%s'", name).isEqualTo(expected.type());
    assertThat(actual).as("elements of '%s'", name).hasSameSizeAs(expected.bits());
    for (int i = 0; i < actual.length; i++) {
      long wanted = Fingerprints.canonical(type, expected.bits()[i]);
      long got = Fingerprints.canonical(type, actual[i]);
      if (got != wanted) {
        double ulps = Bound.ulps(type, got, wanted);
        worstUlp = Math.max(worstUlp, ulps);
        throw new AssertionError(
            String.format(
                "'%s', element %d: got %s (bits %x), expected %s (bits %x): %s ulp off",
                name, i, Oracle.value(type, got), got, Oracle.value(type, wanted), wanted, ulps));
      }
    }
  }

  /** Notes how far a result was off that need not be exact. */
  void off(double ulps) {
    worstUlp = Math.max(worstUlp, ulps);
  }

  private static Map<String, String> expected() {
    ImmutableMap.Builder<String, String> hashes = ImmutableMap.builder();
    try {
      for (String line :
          Resources.readLines(
              Resources.getResource(Evidence.class, "hashes.txt"), StandardCharsets.UTF_8)) {
        List<String> parts = Splitter.on("  ").limit(2).splitToList(line);
        hashes.put(parts.get(1), parts.get(0));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return hashes.buildOrThrow();
  }
}
