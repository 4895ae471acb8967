package io.github.ema4j.report;

import io.github.ema4j.Progress;
import java.util.Arrays;

/** The decay of each update, and what it makes of the past. */
final class DecayTrack {
  private static final int DECAY = 0;
  private static final int START_WEIGHT = 1;
  private static final int LOG_PRODUCT = 2;

  /** Decays above {@code 1 - 10^-9} are drawn there. */
  private static final double MOST_NINES = 9;

  private final Track track = new Track(Track.LAST, Track.LAST, Double::sum);

  /** The number of updates before the first that was seen: not 0 in a run that was resumed. */
  private long unseen;

  void add(Progress progress) {
    if (track.isEmpty()) {
      unseen = progress.updates() - 1;
    }
    double decay = progress.decay();
    track.add(progress.updates(), decay, progress.startWeight(), StrictMath.log(decay));
  }

  boolean isEmpty() {
    return track.isEmpty();
  }

  /** Draws decays by their distance from 1: each line of the grid is a memory ten times as long. */
  Chart decays() {
    double[] nines =
        Arrays.stream(track.column(DECAY))
            .map(decay -> Math.min(MOST_NINES, -StrictMath.log10(1 - decay)))
            .toArray();
    double most = Arrays.stream(nines).max().orElse(1);
    return new Chart("Decay of each update", "update", "decay", track.ends())
        .line("decay", nines)
        .up(Axis.ofDecays(most))
        .inWords(Numbers::decay);
  }

  Chart startWeights() {
    return new Chart(
            "Weight of the starting point over time",
            "update",
            "share of the average",
            track.ends())
        .line("starting point", track.column(START_WEIGHT))
        .up(Axis.exactly(0, 1));
  }

  /** Draws what share each time has in the average now, where all alike would have 1. */
  Chart past() {
    double[] ends = track.ends();
    double[] logs = track.column(LOG_PRODUCT);
    double[] weights = new double[ends.length];
    double later = 0;
    for (int i = ends.length - 1; i >= 0; i--) {
      double before = i == 0 ? unseen : ends[i - 1];
      double share = -StrictMath.expm1(logs[i]) * StrictMath.exp(later);
      weights[i] = share * ends[ends.length - 1] / (ends[i] - before);
      later += logs[i];
    }
    return new Chart(
            "What the average consists of at the end",
            "update",
            "weight; in the plain mean 1",
            ends)
        .line("model of this time", weights);
  }
}
