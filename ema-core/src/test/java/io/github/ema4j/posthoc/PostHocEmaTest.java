package io.github.ema4j.posthoc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.Swap;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.ForwardingBackend;
import io.github.ema4j.schedule.PowerFunction;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PostHocEmaTest {
  private static final int STEPS = 2_000;

  /** The most that rounding a number up to 1 to float32 changes it by, and a little more. */
  private static final double HALF_ULP = 0x1p-24;

  /**
   * A model of several tensors that walks at random, and its whole path.
   *
   * <p>All values are multiples of 1/128 up to 1, so that every type, bfloat16 too, has them
   * exactly.
   */
  private static final class Walk {
    final float[] weights = new float[1_500];
    final double[] wide = new double[3];
    final short[] brief = new short[2];
    final long[] steps = new long[1];
    final StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("weights", ArrayTensor.of(weights, 3, 500))
            .parameter("wide", ArrayTensor.of(wide, 3))
            .parameter("brief", ArrayTensor.of(ElementType.BF16, brief, 2))
            .counter("steps", ArrayTensor.of(steps, 1))
            .build();
    final List<double[]> path = new ArrayList<>();
    private final Random random;

    Walk(long seed) {
      random = new Random(seed);
    }

    void step() {
      double[] before = path.isEmpty() ? new double[1_505] : path.get(path.size() - 1);
      double[] now = before.clone();
      for (int i = 0; i < now.length; i++) {
        double next = now[i] + (random.nextInt(3) - 1) / 128.0;
        now[i] = Math.abs(next) <= 1 ? next : now[i];
      }
      for (int i = 0; i < weights.length; i++) {
        weights[i] = (float) now[i];
      }
      for (int i = 0; i < wide.length; i++) {
        wide[i] = now[1_500 + i];
      }
      for (int i = 0; i < brief.length; i++) {
        brief[i] = (short) (Float.floatToRawIntBits((float) now[1_503 + i]) >>> 16);
      }
      steps[0]++;
      path.add(now);
    }
  }

  /**
   * Both tolerances are derived. The combination gives the models of the path other weights than
   * the target does; these differences are known, so that they account for all of the distance but
   * rounding: each update of a float32 average rounds thrice (weight, difference, sum), and what is
   * lost by that decays with the average. And by the inequality of Cauchy and Schwarz the distance
   * is at most the misfit times the norms of the target's profile and of the path about any point.
   */
  @ParameterizedTest(name = "sigmaRel {0} at {1}, {2} steps an update, seed {3}")
  @CsvSource({
    "0.08, 2000, 1, 1",
    "0.15, 2000, 1, 2",
    "0.03, 2000, 1, 3",
    "0.07, 1500, 1, 4",
    "0.08, 2000, 10, 5",
    "0.12, 1800, 10, 6",
  })
  void aProfileIsWhatTrackingItWouldHaveGiven(double sigmaRel, int time, int every, long seed) {
    PowerFunction wanted = PowerFunction.ofSigmaRel(sigmaRel);
    Walk walk = new Walk(seed);
    try (PostHocEma<StateDict<ArrayTensor>> postHoc =
            PostHocEma.builder(ArrayBackend.adapter()).snapshotEvery(200).build(walk.model);
        ModelEma<StateDict<ArrayTensor>> tracked = tracking(wanted, walk.model)) {
      double[] direct = {};
      for (int now = every; now <= STEPS; now += every) {
        walk.step();
        postHoc.update(walk.model, every);
        tracked.update(walk.model, every);
        if (now == time) {
          direct = values(tracked.state());
        }
      }
      List<Profile> snapshots = postHoc.profiles();
      assertThat(snapshots).hasSize(2 * STEPS / 200);
      Profile target = Profile.at(time, wanted);

      double[] result = values(postHoc.reconstruct(target));

      double[] weights = PostHoc.weights(snapshots, target);
      double[] missing = modelWeights(target, walk.path.size(), every);
      double rounding = rounding(target, every) + HALF_ULP;
      for (int i = 0; i < weights.length; i++) {
        double[] given = modelWeights(snapshots.get(i), walk.path.size(), every);
        for (int j = 0; j < missing.length; j++) {
          missing[j] -= weights[i] * given[j];
        }
        rounding += Math.abs(weights[i]) * (rounding(snapshots.get(i), every) + HALF_ULP);
      }
      double misfit = PostHoc.misfit(snapshots, target);
      double norm = Math.sqrt(target.innerProduct(target));
      int counter = result.length - 1;
      for (int x = 0; x < counter; x++) {
        double expected = direct[x];
        double spread = 0;
        for (int j = 0; j < missing.length; j++) {
          double value = walk.path.get(j)[x];
          expected -= missing[j] * value;
          spread += every * (value - direct[x]) * (value - direct[x]);
        }
        assertThat(result[x]).as("element %d", x).isCloseTo(expected, within(rounding));
        assertThat(result[x])
            .as("element %d", x)
            .isCloseTo(direct[x], within(misfit * norm * Math.sqrt(spread) + rounding));
      }
      int lastSnapshot = time - time % 200;
      assertThat(result[counter]).isEqualTo((double) lastSnapshot / every);
    }
  }

  @Test
  void fewStepsAnUpdateGiveTheSameAverageAsManyOfAModelThatDoesNotMove() {
    Walk walk = new Walk(7);
    walk.step();
    try (PostHocEma<StateDict<ArrayTensor>> postHoc =
        PostHocEma.builder(ArrayBackend.adapter()).snapshotEvery(100).build(walk.model)) {
      for (int update = 0; update < 50; update++) {
        postHoc.update(walk.model, 7);
      }

      assertThat(postHoc.time()).isEqualTo(350);
      // The first update at or after 100, 200 and 300.
      assertThat(postHoc.profiles().stream().map(Profile::time).distinct())
          .containsExactly(105L, 203L, 301L);
      assertThat(values(postHoc.reconstruct(0.08)))
          .usingComparatorWithPrecision(1e-7)
          .containsExactly(values(walk.model));
    }
  }

  @Test
  @SuppressWarnings("try") // the swap is there to be closed
  void aReconstructionIsLoadedIntoAnAverageAndSwapped() {
    Walk walk = new Walk(8);
    try (PostHocEma<StateDict<ArrayTensor>> postHoc =
            PostHocEma.builder(ArrayBackend.adapter()).snapshotEvery(50).build(walk.model);
        ModelEma<StateDict<ArrayTensor>> ema =
            ModelEma.builder(ArrayBackend.adapter()).build(walk.model)) {
      for (int step = 0; step < 200; step++) {
        walk.step();
        postHoc.update(walk.model);
      }
      double[] own = values(walk.model);
      StateDict<ArrayTensor> average = postHoc.reconstruct(0.08);

      ema.load(average);

      try (Swap swap = ema.swapInto(walk.model)) {
        float[] weights = (float[]) average.entries().get(0).tensor().array();
        assertThat(walk.weights).isEqualTo(weights);
      }
      assertThat(values(walk.model)).isEqualTo(own);
    }
  }

  @Test
  void snapshotsAreAlsoTakenOnRequestButNotTwice() {
    Walk walk = new Walk(9);
    PowerFunction only = PowerFunction.ofGamma(5);
    try (PostHocEma<StateDict<ArrayTensor>> postHoc =
        PostHocEma.builder(ArrayBackend.adapter())
            .schedules(only)
            .snapshotEvery(10)
            .keepLatest(2)
            .build(walk.model)) {
      assertThatIllegalArgumentException().isThrownBy(postHoc::snapshot);
      assertThatIllegalStateException()
          .isThrownBy(() -> postHoc.reconstruct(0.05))
          .withMessage("there are no snapshots yet");
      for (int step = 0; step < 25; step++) {
        walk.step();
        postHoc.update(walk.model);
      }
      postHoc.snapshot();
      postHoc.snapshot();

      assertThat(postHoc.profiles()).containsExactly(Profile.at(20, only), Profile.at(25, only));
    }
  }

  @Test
  void anUpdateThatFailsLeavesTheAveragesInStep() {
    StateDict<ArrayTensor> first = new Walk(10).model;
    StateDict<ArrayTensor> second = new Walk(11).model;
    int[] uses = new int[1];
    WatchedAdapter failing =
        new WatchedAdapter(
            model -> {
              if (model == second && ++uses[0] == 1) {
                throw new IllegalStateException("the device is gone");
              }
            });
    try (PostHocEma<StateDict<ArrayTensor>> postHoc =
        PostHocEma.builder(failing).snapshotEvery(10).build(first)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> postHoc.update(second))
          .withMessage("the device is gone");
      assertThat(postHoc.time()).isZero();
      postHoc.update(second);
      postHoc.snapshot();
      assertThat(postHoc.profiles()).extracting(Profile::time).containsExactly(1L, 1L);
    }
  }

  @Test
  void builderChecksWhatItIsGiven() {
    PostHocEma.Builder<StateDict<ArrayTensor>> builder = PostHocEma.builder(ArrayBackend.adapter());

    assertThatIllegalStateException()
        .isThrownBy(() -> builder.build(new Walk(1).model))
        .withMessage("the time between snapshots must be set with snapshotEvery");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.snapshotEvery(0))
        .withMessage("interval must be at least 1, but was 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.keepLatest(0))
        .withMessage("limit must be at least 1, but was 0");
    assertThatIllegalArgumentException()
        .isThrownBy(builder::schedules)
        .withMessage("at least one power function must be tracked");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.schedules(PowerFunction.ofGamma(1), PowerFunction.ofGamma(1)))
        .withMessageStartingWith("power functions must differ, but were [PowerFunction[gamma=1.0]");
  }

  @Test
  void averagesThatWereMadeAreFreedIfAnotherCannotBe() {
    int[] uses = new int[1];
    WatchedAdapter failing =
        new WatchedAdapter(
            model -> {
              if (++uses[0] == 2) { // when the averages are allocated
                throw new IllegalStateException("the device is gone");
              }
            });
    PostHocEma.Builder<StateDict<ArrayTensor>> builder =
        PostHocEma.builder(failing).snapshotEvery(1);

    assertThatIllegalStateException()
        .isThrownBy(() -> builder.build(new Walk(1).model))
        .withMessage("the device is gone");
    assertThat(failing.allocated).isPositive();
    assertThat(failing.released).isEqualTo(failing.allocated);
  }

  @Test
  void closingFreesAveragesAndSnapshots() {
    Walk walk = new Walk(12);
    WatchedAdapter watched = new WatchedAdapter(model -> {});
    PostHocEma<StateDict<ArrayTensor>> postHoc =
        PostHocEma.builder(watched).snapshotEvery(1).build(walk.model);
    postHoc.update(walk.model);
    postHoc.close();
    postHoc.close();

    assertThat(watched.released).isEqualTo(watched.allocated).isPositive();
    assertThat(postHoc.profiles()).isEmpty();
    assertThatIllegalStateException()
        .isThrownBy(() -> postHoc.update(walk.model))
        .withMessage("the average is closed");
    assertThatIllegalStateException()
        .isThrownBy(() -> postHoc.reconstruct(0.05))
        .withMessage("the snapshots are closed");
  }

  private static ModelEma<StateDict<ArrayTensor>> tracking(
      PowerFunction schedule, StateDict<ArrayTensor> model) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0.5).scheduled(schedule))
        .build(model);
  }

  /** Returns the weight of each model of a path in an average: the profile's integral. */
  private static double[] modelWeights(Profile profile, int models, int every) {
    double[] weights = new double[models];
    for (int j = 0; j < models && j < profile.time() / every; j++) {
      weights[j] = share(profile, (j + 1) * every) - share(profile, j * every);
    }
    return weights;
  }

  private static double share(Profile profile, int until) {
    return Math.pow((double) until / profile.time(), profile.gamma() + 1);
  }

  /** Returns what a float32 average of values up to 1 has lost at most. */
  private static double rounding(Profile profile, int every) {
    double lost = 0;
    for (int now = every; now <= profile.time(); now += every) {
      double decay = Math.pow((double) (now - every) / now, profile.gamma() + 1);
      // The weight and the difference of up to 2 each round, times the smaller factor.
      lost = decay * lost + HALF_ULP * (1 + 4 * Math.min(decay, 1 - decay));
    }
    return lost;
  }

  /** Returns all elements of all entries. */
  private static double[] values(StateDict<?> state) {
    return state.entries().stream()
        .map(entry -> (ArrayTensor) entry.tensor())
        .flatMapToDouble(PostHocEmaTest::values)
        .toArray();
  }

  private static DoubleStream values(ArrayTensor tensor) {
    Object array = tensor.array();
    if (array instanceof double[] doubles) {
      return DoubleStream.of(doubles);
    }
    IntStream indices = IntStream.range(0, Array.getLength(array));
    return array instanceof short[] halves
        ? indices.mapToDouble(i -> Float.intBitsToFloat(halves[i] << 16))
        : indices.mapToDouble(i -> Array.getDouble(array, i));
  }

  /** An adapter that can fail, and counts what its backend allocates and releases. */
  private static final class WatchedAdapter extends ForwardingBackend
      implements ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> {
    private final Consumer<StateDict<ArrayTensor>> onUse;
    int allocated;
    int released;

    WatchedAdapter(Consumer<StateDict<ArrayTensor>> onUse) {
      this.onUse = onUse;
    }

    @Override
    public TensorBackend<ArrayTensor> backend() {
      return this;
    }

    @Override
    public StateDict<ArrayTensor> stateDict(StateDict<ArrayTensor> model) {
      onUse.accept(model);
      return model;
    }

    @Override
    public StateDict<ArrayTensor> copy(StateDict<ArrayTensor> model) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void evaluationMode(StateDict<ArrayTensor> copy) {}

    @Override
    public void releaseCopy(StateDict<ArrayTensor> copy) {}

    @Override
    public List<ArrayTensor> allocate(List<TensorSpec> specs) {
      allocated += specs.size();
      return super.allocate(specs);
    }

    @Override
    public void release(List<ArrayTensor> tensors) {
      released += tensors.size();
      super.release(tensors);
    }
  }
}
