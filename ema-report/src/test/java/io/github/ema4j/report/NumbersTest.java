package io.github.ema4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NumbersTest {

  @Test
  void numbersAreShort() {
    assertThat(Numbers.text(0.123456)).isEqualTo("0.1235");
    assertThat(Numbers.text(1_234_567)).isEqualTo("1,234,567");
    assertThat(Numbers.text(0)).isEqualTo("0");
    assertThat(Numbers.text(-2.5)).isEqualTo("-2.5000");
    assertThat(Numbers.text(0.000123)).isEqualTo("1.230e-04");
    assertThat(Numbers.text(123_456.5)).isEqualTo("1.235e+05");
    assertThat(Numbers.text(1e30)).isEqualTo("1.000e+30");
    assertThat(Numbers.text(Double.NaN)).isEqualTo("–");
    assertThat(Numbers.text(Double.POSITIVE_INFINITY)).isEqualTo("∞");
    assertThat(Numbers.text(Double.NEGATIVE_INFINITY)).isEqualTo("-∞");
  }

  @Test
  void timesHaveAUnitThatSuitsThem() {
    assertThat(Numbers.time(12)).isEqualTo("12 ns");
    assertThat(Numbers.time(1_500)).isEqualTo("1.5 µs");
    assertThat(Numbers.time(2.5e6)).isEqualTo("2.5 ms");
    assertThat(Numbers.time(90e9)).isEqualTo("90.0 s");
    assertThat(Numbers.time(3_600e9)).isEqualTo("60.0 min");
    assertThat(Numbers.time(Double.NaN)).isEqualTo("–");
  }

  @Test
  void sharesArePercentages() {
    assertThat(Numbers.percent(0.01234)).isEqualTo("1.23 %");
    assertThat(Numbers.percent(Double.NaN)).isEqualTo("–");
  }

  @Test
  void decaysHaveAllTheirNines() {
    assertThat(Numbers.decay(0)).isEqualTo("0.000");
    assertThat(Numbers.decay(3)).isEqualTo("0.999000");
    assertThat(Numbers.decay(3, 0)).isEqualTo("0.999");
    assertThat(Numbers.decay(1 - StrictMath.log10(0.5), 1)).isEqualTo("0.95");
    assertThat(Numbers.decay(-StrictMath.log10(1 - 0.98765))).isEqualTo("0.9877");
  }
}
