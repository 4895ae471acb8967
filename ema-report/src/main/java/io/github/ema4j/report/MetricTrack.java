package io.github.ema4j.report;

/** A metric of the raw and of the averaged weights by evaluation. */
final class MetricTrack {
  private static final int RAW = 0;
  private static final int AVERAGED = 1;

  private final Track track = new Track(Track.LAST, Track.LAST);
  private long evaluations;

  void add(double raw, double averaged) {
    evaluations++;
    track.add(evaluations, raw, averaged);
  }

  /** Says what came of the last evaluation. */
  String last() {
    double[] raw = track.column(RAW);
    double[] averaged = track.column(AVERAGED);
    return "raw %s, EMA %s"
        .formatted(Numbers.text(raw[raw.length - 1]), Numbers.text(averaged[averaged.length - 1]));
  }

  Chart chart(String name) {
    return new Chart(name + " by evaluation", "evaluation", name, track.ends())
        .line("raw", track.column(RAW))
        .line("EMA", track.column(AVERAGED));
  }
}
