package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.base.Splitter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NearestTest {

  @ParameterizedTest(name = "{0} of {1}")
  @CsvSource({
    "fo, of schedule, of", // one slip is allowed however short the name
    "strtgy, strategy rule, strategy", // a third of the letters, and no more
    "strty, strategy rule,",
    "plicx, policy rule,", // two of five are more than a third
    "scalin, scale scaling, scaling", // the nearest, whatever comes first
    "scalin, scaling scale, scaling",
    "u-N_i, uni, uni", // separators and case do not count
    "uni, U-n-I, U-n-I",
    "policy.tau, schedule.tau every, schedule.tau", // the last part may be what was meant
    "policy.Tau, schedule.tau policy.tau, policy.tau", // but the whole name is nearer
  })
  void whatIsNearIsMeant(String text, String names, String meant) {
    assertThat(Nearest.of(text, Splitter.on(' ').splitToList(names)).orElse(null)).isEqualTo(meant);
    assertThat(Nearest.hint(text, Splitter.on(' ').splitToList(names)))
        .isEqualTo(meant == null ? "" : "; did you mean " + meant + "?");
  }

  @Test
  void namesThatNobodyTypesAreNotCompared() {
    String longest = "x".repeat(100);

    assertThat(Nearest.of(longest, List.of(longest))).contains(longest);
    assertThat(Nearest.of(longest + "x", List.of(longest + "x"))).isEmpty();
  }
}
