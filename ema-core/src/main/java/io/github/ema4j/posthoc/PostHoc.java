package io.github.ema4j.posthoc;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Finds the combination of stored averages that comes closest to an average that nobody tracked.
 *
 * <p>Each average is a weighted mean of the models of a training, so sums of averages are such
 * means too. {@link #weights} makes the squared difference between the sum's weights on the models
 * and the wanted ones as small as possible: it solves {@code A x = b} with {@code A_ij} the inner
 * product of snapshots i and j and {@code b_i} that of snapshot i and the target, then divides by
 * the sum of x, so that a model that never changed is its own average. From Karras et al.,
 * "Analyzing and Improving the Training Dynamics of Diffusion Models", 2024, section 3.2 and
 * appendix C. All in double. Thread-safe: it has no state.
 */
public final class PostHoc {

  /**
   * The least share of a snapshot's profile that must be new. Weights lose about as many digits as
   * this has: at 1e-10 six are left, no more than float32 snapshots carry.
   */
  private static final double LEAST_NEW = 1e-10;

  private PostHoc() {}

  /**
   * Returns the weight of each snapshot in the combination that is closest to a target. They add up
   * to 1; some may be negative. For a target that is one of the snapshots, that one has all weight.
   *
   * @param snapshots what there is to combine, in any order
   * @param target what to come close to; how close it is says {@link #misfit}
   * @throws IllegalArgumentException if there are no snapshots, the target's time is after all of
   *     theirs, two are the same or one is so close to a combination of others that the weights
   *     would have no meaning, or no snapshot has anything of the target
   */
  public static double[] weights(List<Profile> snapshots, Profile target) {
    check(snapshots, target);
    double[] weights = new double[snapshots.size()];
    int same = snapshots.indexOf(target);
    if (same >= 0) {
      weights[same] = 1;
      return weights;
    }
    for (int i = 0; i < weights.length; i++) {
      weights[i] = snapshots.get(i).innerProduct(target);
    }
    solve(factor(snapshots), weights);
    double sum = Arrays.stream(weights).sum();
    checkArgument(sum > 0, "no combination of the snapshots %s resembles %s", snapshots, target);
    for (int i = 0; i < weights.length; i++) {
      weights[i] /= sum;
    }
    return weights;
  }

  /**
   * Returns how far the closest combination stays from a target: the root of the summed squares of
   * the differences of the weights on the models, relative to that of the target's weights. 0 is
   * the target itself; at .01 a hundredth is amiss. Below 1e-8 it is rounding.
   *
   * @throws IllegalArgumentException as {@link #weights}
   */
  public static double misfit(List<Profile> snapshots, Profile target) {
    double[] weights = weights(snapshots, target);
    double squared = target.innerProduct(target);
    double scale = squared;
    for (int i = 0; i < weights.length; i++) {
      Profile snapshot = snapshots.get(i);
      double row = -2 * snapshot.innerProduct(target);
      for (int j = 0; j < weights.length; j++) {
        row += weights[j] * snapshot.innerProduct(snapshots.get(j));
      }
      squared += weights[i] * row;
    }
    return Math.sqrt(Math.max(0, squared) / scale);
  }

  private static void check(List<Profile> snapshots, Profile target) {
    checkArgument(!snapshots.isEmpty(), "there are no snapshots to combine");
    Set<Profile> seen = new HashSet<>();
    for (Profile snapshot : snapshots) {
      checkArgument(seen.add(snapshot), "two snapshots are the same: %s", snapshot);
    }
    long last = snapshots.stream().mapToLong(Profile::time).max().getAsLong();
    checkArgument(
        target.time() <= last,
        "the target's time must be at most that of the last snapshot, %s, but was %s",
        last,
        target.time());
  }

  /**
   * Returns the lower Cholesky factor of the matrix of inner products, in its rows' first elements.
   *
   * <p>The matrix is positive definite, and its pivots say something: each, relative to the
   * diagonal, is the squared sine of the angle between a profile and the span of those before it.
   * It depends on no scaling, so no pivot needs to be sought.
   */
  private static double[][] factor(List<Profile> snapshots) {
    int n = snapshots.size();
    double[][] lower = new double[n][];
    for (int i = 0; i < n; i++) {
      double[] row = new double[i + 1];
      lower[i] = row;
      for (int j = 0; j < i; j++) {
        double product = snapshots.get(i).innerProduct(snapshots.get(j));
        row[j] = (product - dot(row, lower[j], j)) / lower[j][j];
      }
      double square = snapshots.get(i).innerProduct(snapshots.get(i));
      double pivot = square - dot(row, row, i);
      checkArgument(
          pivot > LEAST_NEW * square,
          "snapshot %s, %s, is nearly a combination of those before it; leave it out, or take"
              + " snapshots further apart in time or gamma",
          i,
          snapshots.get(i));
      row[i] = Math.sqrt(pivot);
    }
    return lower;
  }

  /** Solves {@code L L' x = b} in place of b. */
  private static void solve(double[][] lower, double[] b) {
    for (int i = 0; i < b.length; i++) {
      b[i] = (b[i] - dot(lower[i], b, i)) / lower[i][i];
    }
    for (int i = b.length - 1; i >= 0; i--) {
      b[i] /= lower[i][i];
      for (int j = 0; j < i; j++) {
        b[j] -= lower[i][j] * b[i];
      }
    }
  }

  private static double dot(double[] a, double[] b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
