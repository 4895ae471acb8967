package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NamePatternTest {

  @ParameterizedTest
  @CsvSource({
    "*, anything.at.all, true",
    "*.weight, conv.weight, true",
    "*.weight, conv.weight_u, false",
    "conv?.bias, conv1.bias, true",
    "conv?.bias, conv.bias, false",
    "conv.bias, convXbias, false",
    "a[0]+(b)$, a[0]+(b)$, true",
    "a\\Eb, a\\Eb, true",
  })
  void aGlobMatchesWholeNames(String glob, String name, boolean matches) {
    assertThat(NamePattern.glob(glob).matches(name)).isEqualTo(matches);
  }

  @Test
  void aRegularExpressionMatchesWholeNames() {
    NamePattern pattern = NamePattern.regex("layer\\d+[.]bias");
    assertThat(pattern.matches("layer12.bias")).isTrue();
    assertThat(pattern.matches("my.layer12.bias")).isFalse();
    assertThat(pattern.matches("layer12.bias2")).isFalse();
  }

  @Test
  void whatIsNoPatternIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NamePattern.regex("layer("))
        .withMessageStartingWith("'layer(' is no regular expression: ");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NamePattern.glob(""))
        .withMessage("a name pattern must not be empty");
    assertThat(NamePattern.glob("layer(").matches("layer(")).isTrue();
  }
}
