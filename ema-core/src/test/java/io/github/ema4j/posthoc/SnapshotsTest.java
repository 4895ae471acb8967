package io.github.ema4j.posthoc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import com.google.common.collect.MoreCollectors;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.schedule.PowerFunction;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SnapshotsTest {
  private static final PowerFunction SHORT = PowerFunction.ofSigmaRel(0.05);
  private static final PowerFunction LONG = PowerFunction.ofSigmaRel(0.10);

  private final Snapshots snapshots = Snapshots.keepingAll(EntryPolicy.defaults());

  @Test
  void theProfileOfASnapshotGivesThatSnapshotToTheBit() {
    float[] odd = {-0.0f, 1e-42f, Float.MAX_VALUE, 3.14159f};
    float[] infinite = {Float.NEGATIVE_INFINITY, 2, Float.NaN, 0};
    snapshots.add(model(odd), Profile.at(10, SHORT));
    snapshots.add(model(infinite), Profile.at(10, LONG));

    assertThat(floats(snapshots.reconstruct(Profile.at(10, SHORT)), "w")).isEqualTo(odd);
    assertThat(floats(snapshots.reconstruct(Profile.at(10, LONG)), "w")).isEqualTo(infinite);
  }

  @Test
  void elementsAreSumsInDoubleThatAreRoundedOnce() {
    Random random = new Random(5);
    int[] lengths = {0, 1, 1023, 1024, 1025, 5_000};
    for (int length : lengths) {
      try (Snapshots store = Snapshots.keepingAll(EntryPolicy.defaults())) {
        float[][] values = new float[6][length];
        for (int s = 0; s < values.length; s++) {
          for (int i = 0; i < length; i++) {
            values[s][i] = (float) random.nextGaussian();
          }
          store.add(model(values[s]), Profile.at(10L * (s / 2 + 1), s % 2 == 0 ? SHORT : LONG));
        }
        Profile target = Profile.ofSigmaRel(25, 0.08);
        double[] weights = PostHoc.weights(store.profiles(), target);

        float[] result = floats(store.reconstruct(target), "w");

        assertThat(result).hasSize(length);
        for (int i = 0; i < length; i++) {
          double sum = 0;
          for (int s = 0; s < values.length; s++) {
            sum += weights[s] * values[s][i];
          }
          assertThat(result[i]).isEqualTo((float) sum);
        }
      }
    }
  }

  @Test
  void everyFloatingTypeIsKeptInFloat32() {
    short half = (short) 0x3c00; // 1
    StateDict<ArrayTensor> model =
        dict()
            .parameter("f64", ArrayTensor.of(new double[] {1 / 3.0, 2}, 2))
            .parameter("f16", ArrayTensor.of(ElementType.F16, new short[] {half}, 1))
            .parameter("bf16", ArrayTensor.of(ElementType.BF16, new short[] {(short) 0x3f80}, 1))
            .build();
    snapshots.add(model, Profile.at(10, SHORT));

    StateDict<ArrayTensor> result = snapshots.reconstruct(0.05);

    assertThat(floats(result, "f64")).containsExactly((float) (1 / 3.0), 2);
    assertThat(floats(result, "f16")).containsExactly(1);
    assertThat(floats(result, "bf16")).containsExactly(1);
    assertThat(snapshots.bytes()).isEqualTo(4 * 4);
  }

  @Test
  void copiedEntriesHaveTheValueOfTheLastSnapshotUpToTheTarget() {
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.COPY);
    try (Snapshots store = Snapshots.keepingAll(policy)) {
      for (int time : new int[] {30, 10, 20}) {
        store.add(counting(time), Profile.at(time, SHORT));
        store.add(counting(time), Profile.at(time, LONG));
      }

      for (int time : new int[] {10, 15, 20, 29, 30}) {
        int last = time / 10 * 10;
        StateDict<ArrayTensor> result = store.reconstruct(Profile.ofSigmaRel(time, 0.07));
        assertThat((long[]) entry(result, "seen").tensor().array()).containsExactly(last);
        assertThat((double[]) entry(result, "mean").tensor().array()).containsExactly(last / 3.0);
        assertThat(floats(result, "var")).containsExactly(last);
      }
      StateDict<ArrayTensor> early = store.reconstruct(Profile.ofSigmaRel(9, 0.07));
      assertThat((long[]) entry(early, "seen").tensor().array()).containsExactly(10);
    }
  }

  @Test
  void skippedEntriesAreLeftOut() {
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.SKIP);
    try (Snapshots store = Snapshots.keepingAll(policy)) {
      store.add(counting(1), Profile.at(1, SHORT));

      assertThat(store.reconstruct(0.05).entries())
          .extracting(StateDict.Entry::name)
          .containsExactly("w", "seen");
    }
  }

  @Test
  void tiedEntriesAreKeptOnceAndStayTied() {
    ArrayTensor shared = ArrayTensor.of(new float[] {1, 2}, 2);
    StateDict<ArrayTensor> model = dict().parameter("in", shared).parameter("out", shared).build();
    snapshots.add(model, Profile.at(1, SHORT));

    StateDict<ArrayTensor> result = snapshots.reconstruct(0.05);

    assertThat(snapshots.bytes()).isEqualTo(8);
    assertThat(entry(result, "in").tensor().array())
        .isSameAs(entry(result, "out").tensor().array())
        .isNotSameAs(shared.array());
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                snapshots.add(
                    dict()
                        .parameter("in", ArrayTensor.of(new float[2], 2))
                        .parameter("out", ArrayTensor.of(new float[2], 2))
                        .build(),
                    Profile.at(2, SHORT)))
        .withMessage(
            "'in' and 'out' are tied in the snapshot but not in the state; tie them alike");
    assertThat(snapshots.profiles()).hasSize(1);
  }

  @Test
  void entriesPairByNameAndStridesDoNotMatter() {
    ArrayTensor transposed =
        ArrayTensor.view(
            ElementType.F32, new float[] {1, 3, 2, 4}, 0, new long[] {2, 2}, new long[] {1, 2});
    snapshots.add(
        dict()
            .parameter("a", ArrayTensor.of(new float[] {1, 2, 3, 4}, 2, 2))
            .parameter("b", ArrayTensor.of(new float[] {5}, 1))
            .build(),
        Profile.at(1, SHORT));
    snapshots.add(
        dict()
            .parameter("module.b", ArrayTensor.of(new float[] {6}, 1))
            .parameter("module.a", transposed)
            .build(),
        Profile.at(1, LONG));

    StateDict<ArrayTensor> result = snapshots.reconstruct(0.10);

    assertThat(floats(result, "a")).containsExactly(1, 2, 3, 4);
    assertThat(floats(result, "b")).containsExactly(6);
  }

  @Test
  void everyDifferenceIsToldAndNothingIsAdded() {
    snapshots.add(
        dict()
            .parameter("w", ArrayTensor.of(new float[2], 2))
            .parameter("gone", ArrayTensor.of(new float[2], 2))
            .counter("n", ArrayTensor.of(new long[1], 1))
            .build(),
        Profile.at(1, SHORT));

    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                snapshots.add(
                    dict()
                        .parameter("w", ArrayTensor.of(new float[3], 3))
                        .parameter("new", ArrayTensor.of(new float[2], 2))
                        .counter("n", ArrayTensor.of(ElementType.I32, new int[1], 1))
                        .build(),
                    Profile.at(2, SHORT)))
        .withMessage(
            """
            average and first snapshot differ:
              shape mismatch for 'w': average has [3], first snapshot has [2]
              'new' is only in the average
              type mismatch for 'n': average has I32, first snapshot has I64
              'gone' is only in the first snapshot""");
    assertThat(snapshots.profiles()).containsExactly(Profile.at(1, SHORT));
  }

  @Test
  void theLatestAreKeptUpToTheLimit() {
    try (Snapshots store = Snapshots.keepingLatest(4, EntryPolicy.defaults())) {
      for (int time = 1; time <= 5; time++) {
        store.add(model(time), Profile.at(time, SHORT));
        store.add(model(time), Profile.at(time, LONG));
      }

      assertThat(store.profiles())
          .containsExactly(
              Profile.at(4, SHORT), Profile.at(4, LONG), Profile.at(5, SHORT), Profile.at(5, LONG));
      assertThat(store.bytes()).isEqualTo(16);
      assertThat(floats(store.reconstruct(Profile.at(4, LONG)), "w")).containsExactly(4);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Snapshots.keepingLatest(0, EntryPolicy.defaults()))
        .withMessage("limit must be at least 1, but was 0");
  }

  @Test
  void anAverageIsAddedAtItsOwnTimeAndStaysItsOwners() {
    StateDict<ArrayTensor> model = model(1, 2);
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(0.5).scheduled(SHORT))
            .build(model)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> snapshots.add(ema, SHORT))
          .withMessage("the time of a profile must be at least 1, but was 0");
      ema.update(model, 7);
      snapshots.add(ema, SHORT);
      ((float[]) entry(model, "w").tensor().array())[0] = 9;
      ema.update(model);

      assertThat(snapshots.profiles()).containsExactly(Profile.at(7, SHORT));
      assertThat(floats(snapshots.reconstruct(0.05), "w")).containsExactly(1, 2);
    }
  }

  @Test
  void aStateDictIsLookedAtAnew() {
    StateDict<ArrayTensor> before = model(1);
    StateDict<ArrayTensor> after = model(2);
    StateDict<ArrayTensor> moving =
        new StateDict<>() {
          private StateDict<ArrayTensor> now = before;

          @Override
          public TensorBackend<ArrayTensor> backend() {
            return ArrayBackend.instance();
          }

          @Override
          public List<Entry<ArrayTensor>> entries() {
            return now.entries();
          }

          @Override
          public boolean refresh() {
            now = after;
            return true;
          }
        };

    snapshots.add(moving, Profile.at(1, SHORT));

    assertThat(floats(snapshots.reconstruct(0.05), "w")).containsExactly(2);
  }

  @Test
  void aSecondSnapshotOfAProfileIsRefused() {
    snapshots.add(model(1), new Profile(3, 2));

    assertThatIllegalArgumentException()
        .isThrownBy(() -> snapshots.add(model(1), new Profile(3, 2)))
        .withMessage("there is a snapshot of Profile[time=3, gamma=2.0] already");
  }

  @Test
  void aPolicyThatSkipsAllIsRefused() {
    EntryPolicy none = EntryPolicy.defaults().with(Role.PARAMETER, Treatment.SKIP);
    try (Snapshots store = Snapshots.keepingAll(none)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> store.add(model(1), new Profile(1, 1)))
          .withMessageStartingWith("the policy EntryPolicy[patterns=[], roles={PARAMETER=SKIP")
          .withMessageEndingWith("skips every entry of the state");
    }
  }

  @Test
  void anEmptyStoreHasNothingToReconstruct() {
    assertThatIllegalStateException()
        .isThrownBy(() -> snapshots.reconstruct(new Profile(1, 1)))
        .withMessage("there are no snapshots yet");
    assertThatIllegalStateException()
        .isThrownBy(() -> snapshots.reconstruct(0.05))
        .withMessage("there are no snapshots yet");
    assertThat(snapshots.bytes()).isZero();
  }

  @Test
  void aClosedStoreIsOfNoUseButItsResultsLive() {
    snapshots.add(model(1, 2), Profile.at(1, SHORT));
    StateDict<ArrayTensor> result = snapshots.reconstruct(0.05);
    snapshots.close();
    snapshots.close();

    assertThat(floats(result, "w")).containsExactly(1, 2);
    assertThat(snapshots.bytes()).isZero();
    assertThatIllegalStateException()
        .isThrownBy(() -> snapshots.reconstruct(0.05))
        .withMessage("the snapshots are closed");
    assertThatIllegalStateException()
        .isThrownBy(() -> snapshots.add(model(1, 2), Profile.at(2, SHORT)))
        .withMessage("the snapshots are closed");
  }

  private static StateDict<ArrayTensor> counting(long time) {
    return dict()
        .parameter("w", ArrayTensor.of(new float[] {time}, 1))
        .statistic("mean", ArrayTensor.of(new double[] {time / 3.0}, 1))
        .statistic("var", ArrayTensor.of(new float[] {time}, 1))
        .counter("seen", ArrayTensor.of(new long[] {time}, 1))
        .build();
  }

  private static StateDict<ArrayTensor> model(float... values) {
    return dict().parameter("w", ArrayTensor.of(values, values.length)).build();
  }

  private static StateDict.Builder<ArrayTensor> dict() {
    return StateDict.builder(ArrayBackend.instance());
  }

  private static float[] floats(StateDict<ArrayTensor> state, String name) {
    return (float[]) entry(state, name).tensor().array();
  }

  private static StateDict.Entry<ArrayTensor> entry(StateDict<ArrayTensor> state, String name) {
    return state.entries().stream()
        .filter(entry -> entry.name().equals(name))
        .collect(MoreCollectors.onlyElement());
  }
}
