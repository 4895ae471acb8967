package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableSortedMap;
import com.google.common.primitives.ImmutableDoubleArray;
import io.github.ema4j.internal.Checks;
import io.github.ema4j.spi.ModelAdapter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Finds out which decay serves a model best: keeps averages of several decays beside a short
 * training, has all of them evaluated on data that are not trained on, and tells the numbers.
 *
 * <pre>{@code
 * try (EmaAdvisor<Block> advisor = EmaAdvisor.builder(adapter).build(model)) {
 *   for (...) {
 *     trainOneStep(model);
 *     advisor.update(model);
 *   } // and after each epoch
 *   advisor.evaluate(model, averaged -> accuracy(averaged, validation));
 *   Advice advice = advisor.advice();
 * }
 * }</pre>
 *
 * <p>The averages are {@linkplain DecaySchedule#zeroDebiased zero-debiased}, so that in a short
 * training a slow one is not held back by the model that it started from. One thread at a time.
 *
 * @param <M> the framework's model type
 */
public final class EmaAdvisor<M> implements AutoCloseable {
  private final EmaBank<M> bank;
  private final ImmutableDoubleArray decays;

  /** What came of each evaluation: the raw score, then one for each decay. */
  private final List<ImmutableDoubleArray> evaluations = new ArrayList<>();

  private EmaAdvisor(EmaBank<M> bank, ImmutableDoubleArray decays) {
    this.bank = bank;
    this.decays = decays;
  }

  /** Starts an advisor with six decays, from .9 to .9997, and the default configuration. */
  public static <M> Builder<M> builder(ModelAdapter<M, ?> adapter) {
    return new Builder<>(adapter);
  }

  /**
   * Updates all averages with the model after one step.
   *
   * @throws IllegalArgumentException as {@link EmaBank#update(Object)}
   * @throws IllegalStateException as {@link EmaBank#update(Object)}
   */
  public void update(M model) {
    bank.update(model);
  }

  /**
   * Evaluates the model on its own weights and on each of the averages, which are swapped into it
   * for the time.
   *
   * @param score what is better where it is higher, on data that are not trained on; must be finite
   * @throws IllegalArgumentException if a score is not finite, or the model does not pair with the
   *     averages
   * @throws IllegalStateException if a swap is open or the advisor is closed
   */
  public void evaluate(M model, ToDoubleFunction<M> score) {
    ImmutableDoubleArray.Builder row = ImmutableDoubleArray.builder();
    row.add(finite("raw weights", score.applyAsDouble(model)));
    decays.forEach(decay -> row.add(averaged(model, decay, score)));
    evaluations.add(row.build());
  }

  @SuppressWarnings("try") // the swap is open for as long as it is not closed
  private double averaged(M model, double decay, ToDoubleFunction<M> score) {
    try (Swap swap = bank.average(name(decay)).swapInto(model)) {
      return finite("decay " + decay, score.applyAsDouble(model));
    }
  }

  private static double finite(String of, double score) {
    checkArgument(Double.isFinite(score), "the score of %s must be finite, but was %s", of, score);
    return score;
  }

  private static String name(double decay) {
    return Double.toString(decay);
  }

  /**
   * Tells which decay served best in the last third of the evaluations so far, at least the last
   * one; of several equal ones the lowest.
   *
   * @throws IllegalStateException if there was no evaluation
   */
  public Advice advice() {
    int count = evaluations.size();
    checkState(count > 0, "there is no advice without an evaluation; call evaluate first");
    List<ImmutableDoubleArray> last = evaluations.subList(count - (count + 2) / 3, count);
    ImmutableSortedMap.Builder<Double, Double> scores = ImmutableSortedMap.naturalOrder();
    double best = decays.get(0);
    double highest = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < decays.length(); i++) {
      double score = mean(last, i + 1);
      scores.put(decays.get(i), score);
      if (score > highest) {
        highest = score;
        best = decays.get(i);
      }
    }
    long updates = bank.average(name(best)).progress().updates();
    return new Advice(best, scores.buildOrThrow(), mean(last, 0), updates);
  }

  private static double mean(List<ImmutableDoubleArray> rows, int column) {
    return rows.stream().mapToDouble(row -> row.get(column)).average().orElseThrow();
  }

  /**
   * Frees the averages. Does nothing when called again.
   *
   * @throws IllegalStateException if one is swapped into a model
   */
  @Override
  public void close() {
    bank.close();
  }

  /**
   * Collects what an advisor is made with.
   *
   * @param <M> the framework's model type
   */
  public static final class Builder<M> {
    private final ModelAdapter<M, ?> adapter;
    private EmaConfig config = EmaConfig.defaults();
    private double[] decays = {0.9, 0.97, 0.99, 0.997, 0.999, 0.9997};

    private Builder(ModelAdapter<M, ?> adapter) {
      this.adapter = requireNonNull(adapter, "adapter");
    }

    /** Sets everything that the averages have in common; the strategy's schedule is not used. */
    public Builder<M> config(EmaConfig newConfig) {
      config = requireNonNull(newConfig, "config");
      return this;
    }

    /**
     * Sets which decays are tried, in place of the six.
     *
     * @throws IllegalArgumentException if there is none, or one is there twice or not in [0, 1)
     */
    public Builder<M> decays(double... tried) {
      checkArgument(tried.length > 0, "an advisor needs decays to try");
      double[] sorted = tried.clone();
      Arrays.sort(sorted);
      for (int i = 0; i < sorted.length; i++) {
        Checks.decay("decay", sorted[i]);
        checkArgument(sorted[i] < 1, "an average with decay 1 never moves; try one below it");
        checkArgument(i == 0 || sorted[i] > sorted[i - 1], "decay %s is there twice", sorted[i]);
      }
      decays = sorted;
      return this;
    }

    /**
     * Starts the averages as copies of a model.
     *
     * @throws IllegalArgumentException as {@link ModelEma.Builder#build}
     * @throws IllegalStateException as {@link ModelEma.Builder#build}
     * @throws UnsupportedOperationException as {@link ModelEma.Builder#build}
     */
    public EmaAdvisor<M> build(M model) {
      EmaBank.Builder<M> bank = EmaBank.builder(adapter).config(config);
      for (double decay : decays) {
        bank.average(name(decay), DecaySchedule.constant(decay).zeroDebiased());
      }
      return new EmaAdvisor<>(bank.build(model), ImmutableDoubleArray.copyOf(decays));
    }
  }
}
