package io.github.ema4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.benchmarks.Claim.Side;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClaimTest {
  private final Measurement ours = MeasurementTest.of("p", "ours", 10, 10, 10);
  private final Measurement peer = MeasurementTest.of("p", "peer", 20, 20, 20);

  private static Claim claim(double factor, double bound, boolean least) {
    return new Claim("", "", new Side("peer", 1), new Side("ours", 1), factor, bound, least);
  }

  @Test
  void theRatioIsTheDividendsTimeOverTheDivisors() {
    assertThat(claim(1.5, 1, true).ratio(List.of(ours, peer))).contains(new Spread(3, 3, 3));
  }

  @Test
  void thereIsNoRatioWhereOneIsMissing() {
    assertThat(claim(1, 1, true).ratio(List.of(ours))).isEmpty();
  }

  @Test
  void itIsMetOnTheRightSideOfTheBound() {
    Spread two = new Spread(1, 2, 3);

    assertThat(claim(1, 2, true).isMetBy(two)).isTrue();
    assertThat(claim(1, 2.1, true).isMetBy(two)).isFalse();
    assertThat(claim(1, 2, false).isMetBy(two)).isTrue();
    assertThat(claim(1, 1.9, false).isMetBy(two)).isFalse();
  }
}
