package io.github.ema4j.report;

import io.github.ema4j.series.Alpha;
import io.github.ema4j.series.MovingAverage;
import io.github.ema4j.series.NonFinite;
import java.util.Arrays;
import java.util.stream.IntStream;

/** A loss by step, raw and smoothed. */
final class LossTrack {
  /** The windows that may suit, as nobody knows at the start how many steps there will be. */
  private static final int[] WINDOWS = {10, 100, 1_000, 10_000};

  private static final int SUM = 0;
  private static final int COUNT = 1;
  private static final int LOW = 2;
  private static final int HIGH = 3;
  private static final int SMOOTH = 4;

  private final MovingAverage[] averages =
      Arrays.stream(WINDOWS)
          .mapToObj(
              window ->
                  MovingAverage.biasCorrected(Alpha.ofWindow(window)).onNonFinite(NonFinite.SKIP))
          .toArray(MovingAverage[]::new);

  private final Track track =
      new Track(
          Double::sum,
          Double::sum,
          Math::min,
          Math::max,
          Track.LAST,
          Track.LAST,
          Track.LAST,
          Track.LAST);

  private long steps;

  void add(double loss) {
    steps++;
    boolean finite = Double.isFinite(loss);
    double[] row = new double[SMOOTH + WINDOWS.length];
    row[SUM] = finite ? loss : 0;
    row[COUNT] = finite ? 1 : 0;
    row[LOW] = finite ? loss : Double.POSITIVE_INFINITY;
    row[HIGH] = finite ? loss : Double.NEGATIVE_INFINITY;
    for (int i = 0; i < WINDOWS.length; i++) {
      row[SMOOTH + i] = averages[i].add(loss);
    }
    track.add(steps, row);
  }

  boolean isEmpty() {
    return track.isEmpty();
  }

  /** Returns the number of losses that were not finite. */
  long skipped() {
    return averages[0].skipped();
  }

  Chart chart() {
    int choice = 0;
    while (choice + 1 < WINDOWS.length && 10L * WINDOWS[choice + 1] <= steps) {
      choice++;
    }
    double[] sums = track.column(SUM);
    double[] counts = track.column(COUNT);
    double[] means =
        IntStream.range(0, sums.length).mapToDouble(i -> sums[i] / counts[i]).toArray();
    return new Chart("Loss by step", "step", "loss", track.ends())
        .line("raw", means)
        .line(
            "smoothed over a window of " + Numbers.count(WINDOWS[choice]),
            track.column(SMOOTH + choice))
        .area(track.column(LOW), track.column(HIGH));
  }
}
