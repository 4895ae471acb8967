package io.github.ema4j.posthoc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.github.ema4j.schedule.PowerFunction;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PostHocTest {
  private static final Config GOLDEN =
      ConfigFactory.parseResources(PostHocTest.class, "posthoc.json");

  private static Stream<Config> solutions() {
    List<Config> solutions = List.copyOf(GOLDEN.getConfigList("solutions"));
    assertThat(solutions).hasSize(6);
    return solutions.stream();
  }

  @ParameterizedTest
  @MethodSource("solutions")
  void weightsAreThoseOfThePapersOwnCode(Config solution) {
    Profile target =
        Profile.ofSigmaRel(solution.getLong("target_t"), solution.getDouble("target_sigma_rel"));
    List<Double> golden = solution.getDoubleList("weights");
    double largest = golden.stream().mapToDouble(Math::abs).max().getAsDouble();

    double[] weights = PostHoc.weights(goldenSnapshots(), target);

    assertThat(weights).hasSize(golden.size());
    for (int i = 0; i < weights.length; i++) {
      assertThat(weights[i]).as("weight %d", i).isCloseTo(golden.get(i), within(1e-13 * largest));
    }
    assertThat(Arrays.stream(weights).sum()).isCloseTo(1, within(1e-15 * weights.length));
  }

  /** Before the division by the sum the gradient of the misfit is 0 but for rounding. */
  @ParameterizedTest
  @MethodSource("solutions")
  void theSolutionLeavesNoResidual(Config solution) {
    Profile target =
        Profile.ofSigmaRel(solution.getLong("target_t"), solution.getDouble("target_sigma_rel"));
    List<Profile> snapshots = goldenSnapshots();
    double[] weights = PostHoc.weights(snapshots, target);

    // One scale for all rows: the sum that the weights were divided by.
    double scale = Double.NaN;
    for (int i = snapshots.size() - 1; i >= 0; i--) {
      double row = 0;
      double magnitude = 0;
      for (int j = 0; j < weights.length; j++) {
        double term = weights[j] * snapshots.get(i).innerProduct(snapshots.get(j));
        row += term;
        magnitude += Math.abs(term);
      }
      double wanted = snapshots.get(i).innerProduct(target);
      scale = Double.isNaN(scale) ? wanted / row : scale;
      // Each of 16 terms and the factorisation's 16 steps round at 1.1e-16.
      assertThat(scale * row).as("row %d", i).isCloseTo(wanted, within(1e-14 * magnitude));
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3})
  void theOrderOfSnapshotsDoesNotMatter(long seed) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < goldenSnapshots().size(); i++) {
      order.add(i);
    }
    Collections.shuffle(order, new Random(seed));
    Profile target = Profile.ofSigmaRel(8_000, 0.07);

    double[] inOrder = PostHoc.weights(goldenSnapshots(), target);
    double[] shuffled =
        PostHoc.weights(order.stream().map(goldenSnapshots()::get).toList(), target);

    for (int i = 0; i < inOrder.length; i++) {
      assertThat(shuffled[i]).isCloseTo(inOrder[order.get(i)], within(1e-13));
    }
  }

  @Test
  void theUnitOfTimeDoesNotMatter() {
    List<Profile> inSamples =
        goldenSnapshots().stream().map(p -> new Profile(p.time() * 128, p.gamma())).toList();

    double[] bySteps = PostHoc.weights(goldenSnapshots(), Profile.ofSigmaRel(7_777, 0.07));
    double[] bySamples = PostHoc.weights(inSamples, Profile.ofSigmaRel(7_777 * 128, 0.07));

    for (int i = 0; i < bySteps.length; i++) {
      assertThat(bySamples[i]).isCloseTo(bySteps[i], within(1e-12));
    }
  }

  @Test
  void aSnapshotHasAllWeightInItself() {
    List<Profile> snapshots = goldenSnapshots();
    for (int i = 0; i < snapshots.size(); i++) {
      double[] expected = new double[snapshots.size()];
      expected[i] = 1;
      assertThat(PostHoc.weights(snapshots, snapshots.get(i))).isEqualTo(expected);
      assertThat(PostHoc.misfit(snapshots, snapshots.get(i))).isZero();
    }
  }

  /** The numbers are those of the golden snapshots, 8 pairs of .05 and .10, to two digits. */
  @ParameterizedTest(name = "sigmaRel {0} at {1}: {2}")
  @CsvSource({
    "0.03, 8000, 0.10",
    "0.05, 8000, 0",
    "0.075, 8000, 0.0125",
    "0.12, 8000, 0.013",
    "0.10, 8000, 0",
    "0.15, 8000, 0.033",
    "0.25, 8000, 0.18",
    "0.08, 6500, 0.48",
  })
  void theMisfitIsWhatANumericIntegralGives(double sigmaRel, long time, double misfit) {
    Profile target = Profile.ofSigmaRel(time, sigmaRel);
    List<Profile> snapshots = goldenSnapshots();
    double[] weights = PostHoc.weights(snapshots, target);
    double squares = 0;
    double scale = 0;
    for (int step = 0; step < 16_000; step++) {
      double moment = (step + 0.5) / 2;
      double sum = -response(target, moment);
      for (int i = 0; i < weights.length; i++) {
        sum += weights[i] * response(snapshots.get(i), moment);
      }
      squares += sum * sum;
      scale += response(target, moment) * response(target, moment);
    }

    assertThat(PostHoc.misfit(goldenSnapshots(), target))
        .isCloseTo(Math.sqrt(squares / scale), within(1e-5))
        .isCloseTo(misfit, within(0.05 * misfit + 1e-8));
  }

  @Test
  void noSnapshotsAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PostHoc.weights(List.of(), new Profile(1, 1)))
        .withMessage("there are no snapshots to combine");
  }

  @Test
  void equalSnapshotsAreRefused() {
    Profile twice = new Profile(10, 3);

    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                PostHoc.weights(
                    List.of(twice, new Profile(20, 3), new Profile(10, 3)), new Profile(15, 3)))
        .withMessage("two snapshots are the same: Profile[time=10, gamma=3.0]");
  }

  @Test
  void snapshotsThatNearlyRepeatOthersAreRefused() {
    List<Profile> snapshots =
        List.of(new Profile(10, 3), new Profile(20, 3), new Profile(10, 3.00001));

    assertThatIllegalArgumentException()
        .isThrownBy(() -> PostHoc.weights(snapshots, new Profile(15, 3)))
        .withMessage(
            "snapshot 2, Profile[time=10, gamma=3.00001], is nearly a combination of those before"
                + " it; leave it out, or take snapshots further apart in time or gamma");
  }

  @Test
  void targetsAfterTheLastSnapshotAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PostHoc.weights(goldenSnapshots(), new Profile(8_001, 3)))
        .withMessage(
            "the target's time must be at most that of the last snapshot, 8000, but was 8001");
  }

  @Test
  void targetsOfWhichTheSnapshotsHaveNothingAreRefused() {
    List<Profile> late = List.of(new Profile(1_000_000, 1_000));

    assertThatIllegalArgumentException()
        .isThrownBy(() -> PostHoc.weights(late, new Profile(1, 1)))
        .withMessage(
            "no combination of the snapshots [Profile[time=1000000, gamma=1000.0]] resembles"
                + " Profile[time=1, gamma=1.0]");
  }

  @Test
  void hundredsOfSnapshotsAreSolved() {
    List<Profile> snapshots = new ArrayList<>();
    for (long time = 1_000; time <= 300_000; time += 1_000) {
      snapshots.add(Profile.ofSigmaRel(time, 0.05));
      snapshots.add(Profile.ofSigmaRel(time, 0.10));
    }

    double[] weights = PostHoc.weights(snapshots, Profile.ofSigmaRel(300_000, 0.075));

    assertThat(DoubleStream.of(weights).map(Math::abs).sum()).isLessThan(2);
    assertThat(PostHoc.misfit(snapshots, Profile.ofSigmaRel(300_000, 0.075))).isLessThan(1e-3);
  }

  static List<Profile> goldenSnapshots() {
    List<Long> times = GOLDEN.getLongList("snapshot_t");
    List<Double> widths = GOLDEN.getDoubleList("snapshot_sigma_rel");
    List<Profile> snapshots = new ArrayList<>();
    for (int i = 0; i < times.size(); i++) {
      snapshots.add(Profile.at(times.get(i), PowerFunction.ofSigmaRel(widths.get(i))));
    }
    return snapshots;
  }

  private static double response(Profile profile, double moment) {
    double share = moment / profile.time();
    return share > 1
        ? 0
        : (profile.gamma() + 1) / profile.time() * Math.pow(share, profile.gamma());
  }
}
