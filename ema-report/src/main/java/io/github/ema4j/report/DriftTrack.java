package io.github.ema4j.report;

import io.github.ema4j.Drift;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** The drift of all weights and by layer, measured ever more rarely. */
final class DriftTrack {
  /** So many layers are drawn: those that drifted most. */
  private static final int DRAWN = 5;

  private final List<Long> updates = new ArrayList<>();
  private final List<Drift> drifts = new ArrayList<>();

  /** Tells whether it is time: at updates 1, 2, 4, 8 and so on. */
  static boolean isDue(long update) {
    return Long.bitCount(update) == 1;
  }

  void add(long update, Drift drift) {
    int last = updates.size() - 1;
    if (last >= 0 && updates.get(last) == update) {
      drifts.set(last, drift);
    } else {
      updates.add(update);
      drifts.add(drift);
    }
  }

  boolean isEmpty() {
    return drifts.isEmpty();
  }

  Drift last() {
    return drifts.get(drifts.size() - 1);
  }

  Chart chart() {
    Chart chart =
        new Chart(
                "Drift over time",
                "update",
                "distance, relative",
                updates.stream().mapToDouble(Long::doubleValue).toArray())
            .logarithmic()
            .line("all weights", drifts.stream().mapToDouble(Drift::total).toArray());
    last().byEntry().entrySet().stream()
        .sorted(Map.Entry.<String, Double>comparingByValue(Comparator.reverseOrder()))
        .limit(DRAWN)
        .forEach(
            entry ->
                chart.line(
                    entry.getKey(),
                    drifts.stream()
                        .mapToDouble(
                            drift -> drift.byEntry().getOrDefault(entry.getKey(), Double.NaN))
                        .toArray()));
    return chart;
  }

  /** Returns the last drift of each layer, in the model's order. */
  String table() {
    return Html.table(
        "Drift of each layer at update " + Numbers.count(updates.get(updates.size() - 1)),
        List.of("layer", "drift"),
        last().byEntry().entrySet().stream()
            .map(entry -> List.of(entry.getKey(), Numbers.text(entry.getValue())))
            .toList());
  }
}
