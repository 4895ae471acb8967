package io.github.ema4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrackTest {

  @ParameterizedTest
  @ValueSource(ints = {1, 511, 512, 513, 1_023, 1_024, 1_025, 5_000, 100_001})
  void nothingIsLostAndNeighboursAreMergedEvenly(int steps) {
    Track track = new Track(Double::sum, Math::max, Track.LAST);
    for (int step = 1; step <= steps; step++) {
      track.add(step, 1, step, step);
    }
    double[] ends = track.ends();
    double[] counts = track.column(0);

    assertThat(ends.length).isLessThanOrEqualTo(Track.ROOM);
    assertThat(ends.length).isGreaterThan(steps < Track.ROOM ? steps - 1 : Track.ROOM / 2 - 1);
    assertThat(Arrays.stream(counts).sum()).isEqualTo(steps);
    assertThat(ends[ends.length - 1]).isEqualTo(steps);
    assertThat(track.column(1)).containsExactly(ends);
    assertThat(track.column(2)).containsExactly(ends);
    for (int i = 0; i + 1 < counts.length; i++) {
      assertThat(counts[i]).as("all but the last hold the same").isEqualTo(counts[0]);
    }
  }
}
