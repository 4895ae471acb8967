package io.github.ema4j;

import com.google.common.collect.ImmutableSortedMap;
import io.github.ema4j.internal.Checks;
import io.github.ema4j.schedule.Decays;
import java.util.Locale;

/**
 * What an {@link EmaAdvisor} found out in a training. The decay is that of one update, to be used
 * zero-debiased or with a warm-up.
 *
 * @param decay the decay that served best
 * @param scores the mean score of each decay that was tried, the higher the better
 * @param rawScore the mean score of the model's own weights
 * @param updates how long the training was, in updates
 */
public record Advice(
    double decay, ImmutableSortedMap<Double, Double> scores, double rawScore, long updates) {

  /**
   * Checks the decay.
   *
   * @throws IllegalArgumentException if it is not in [0, 1]
   */
  public Advice {
    Checks.decay("decay", decay);
  }

  /** Returns how many updates the best average looks back on: {@code 1 / (1 - d)}. */
  public double effectiveWindow() {
    return 1 / (1 - decay);
  }

  /**
   * Returns the decay to expect best in a run that is longer, if what serves is to look back on the
   * same share of it: {@code d^(1 / k)}, a window k times as long. That the best width is a share
   * of the training is what Karras et al., "Analyzing and Improving the Training Dynamics of
   * Diffusion Models", 2024, found.
   *
   * @param times how many times as many updates the run has; above 0
   * @throws IllegalArgumentException if it is not above 0 and finite
   */
  public double decayForRun(double times) {
    Checks.positive("times", times);
    return Decays.scaled(decay, 1 / times);
  }

  /**
   * Returns the decay for batches that are larger, where the same data are seen in fewer updates:
   * {@code d^kappa}, the scaling rule of Busbridge et al., "How to Scale Your EMA", 2023. The
   * optimiser's own rule, such as a learning rate that grows with the batch, is part of it.
   *
   * @param kappa how many times as large a batch is; above 0
   * @throws IllegalArgumentException if it is not above 0 and finite
   */
  public double decayForBatch(double kappa) {
    return Decays.scaled(decay, kappa);
  }

  /** Returns the numbers and what follows from them, in lines for people. */
  public String text() {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "After %,d updates, on validation data:\n  raw weights: %.4f\n",
            updates,
            rawScore));
    scores.forEach(
        (tried, score) ->
            text.append(
                String.format(
                    Locale.ROOT,
                    "  decay %s (window %,.0f): %.4f%s\n",
                    Double.toString(tried),
                    1 / (1 - tried),
                    score,
                    tried == decay ? ", best" : "")));
    text.append(
        String.format(
            Locale.ROOT,
            "To expect best: %.6g in a run 2 times as long, %.6g in one 10 times as long;\n",
            decayForRun(2),
            decayForRun(10)));
    text.append(
        String.format(Locale.ROOT, "%.6g with batches 2 times as large.\n", decayForBatch(2)));
    return text.toString();
  }
}
