package io.github.ema4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.ImmutableDoubleArray;
import org.junit.jupiter.api.Test;

class SpreadTest {

  @Test
  void medianAndQuartilesOfAnOddCountAreSamples() {
    assertThat(Spread.of(ImmutableDoubleArray.of(50, 10, 40, 20, 30)))
        .isEqualTo(new Spread(20, 30, 40));
  }

  @Test
  void quartilesBetweenSamplesAreInterpolated() {
    assertThat(Spread.of(ImmutableDoubleArray.of(1, 2, 3, 4)))
        .isEqualTo(new Spread(1.75, 2.5, 3.25));
  }

  @Test
  void oneOutlierMovesNothing() {
    assertThat(Spread.of(ImmutableDoubleArray.of(1, 1, 1, 1, 1e9))).isEqualTo(new Spread(1, 1, 1));
  }

  @Test
  void showsThreeDigits() {
    assertThat(new Spread(0.01, 12.345, 1234.5)).hasToString("12.3 (0.0100–1235)");
  }
}
