package io.github.ema4j.merge;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.internal.Checks;
import java.util.Arrays;

/** Weights of inputs that add up to 1, in the order of the inputs. */
public final class MergeWeights {

  private MergeWeights() {}

  /**
   * Returns the weights of a plain mean.
   *
   * @param inputs how many there are
   * @throws IllegalArgumentException if there is none
   */
  public static double[] uniform(int inputs) {
    Checks.atLeastOne("inputs", inputs);
    double[] weights = new double[inputs];
    Arrays.fill(weights, 1.0 / inputs);
    return weights;
  }

  /**
   * Returns the weights of an exponential moving average that started from the first input and was
   * updated with each of the others: {@code decay^(n-1)} for the first of n, {@code (1 - decay) *
   * decay^(n-1-i)} for that of index i.
   *
   * @param inputs how many there are
   * @param decay how much of the average each update keeps
   * @throws IllegalArgumentException if there is no input, or the decay is not in [0, 1]
   */
  public static double[] decayed(int inputs, double decay) {
    Checks.atLeastOne("inputs", inputs);
    Checks.decay("decay", decay);
    double[] weights = new double[inputs];
    double kept = 1;
    for (int i = inputs - 1; i > 0; i--) {
      weights[i] = (1 - decay) * kept;
      kept *= decay;
    }
    weights[0] = kept;
    return weights;
  }

  /**
   * Returns weights divided by their sum, which is taken in their order.
   *
   * @throws IllegalArgumentException if there is none, one is not finite, or the sum is not above 0
   */
  public static double[] normalized(double... weights) {
    checkArgument(weights.length > 0, "there are no weights");
    double sum = Arrays.stream(weights).reduce(0, Double::sum); // plain, not compensated
    checkArgument(
        sum > 0 && sum < Double.POSITIVE_INFINITY,
        "weights must be finite and add up to more than 0, but were %s",
        Arrays.toString(weights));
    return Arrays.stream(weights).map(weight -> weight / sum).toArray();
  }
}
