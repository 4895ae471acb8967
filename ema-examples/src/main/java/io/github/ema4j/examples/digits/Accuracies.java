package io.github.ema4j.examples.digits;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** The accuracies after each epoch, and what the last of them come to. */
final class Accuracies {
  private static final int LAST = 10;

  private record Epoch(double raw, double averaged) {}

  private final List<Epoch> epochs = new ArrayList<>();

  void add(double raw, double averaged) {
    epochs.add(new Epoch(raw, averaged));
  }

  /** Returns the line that the demo ends with: both means over the last ten epochs. */
  String summary() {
    List<Epoch> last = epochs.subList(Math.max(0, epochs.size() - LAST), epochs.size());
    return String.format(
        Locale.ROOT,
        "accuracy: raw %.4f, EMA %.4f (mean of the last %d epoch%s)",
        mean(last, Epoch::raw),
        mean(last, Epoch::averaged),
        last.size(),
        last.size() == 1 ? "" : "s");
  }

  private static double mean(List<Epoch> epochs, ToDoubleFunction<Epoch> accuracy) {
    return epochs.stream().mapToDouble(accuracy).average().orElse(Double.NaN);
  }
}
