package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class SnapshotTest {
  private final ExecutorService others = Executors.newFixedThreadPool(2);

  @AfterEach
  void stop() {
    others.shutdownNow();
  }

  @Test
  void aSnapshotIsACopyThatOutlivesTheAverage() {
    StateDict<ArrayTensor> model = model("w", 0);
    StateDict<?> snapshot;
    try (var average = halving(model)) {
      floats(model)[0] = 1;
      average.update(model);
      snapshot = average.snapshot();
      average.update(model);
      assertThat(floats(average.state())).containsExactly(0.75f);
    }
    assertThat(floats(snapshot)).containsExactly(0.5f);
    snapshot.close();
    snapshot.close();
    assertThatIllegalStateException().isThrownBy(() -> floats(snapshot));
  }

  @Test
  void snapshotsTakenDuringTrainingAreNeverTorn() throws Exception {
    float[] weights = new float[100_000];
    StateDict<ArrayTensor> model = model("w", weights);
    try (var average =
        averaging().strategy(EmaStrategy.nameMatched(0)).canary(false).build(model)) {
      CountDownLatch trained = new CountDownLatch(1);
      Future<Integer> reader =
          others.submit(
              () -> {
                int torn = 0;
                do {
                  try (StateDict<?> snapshot = average.snapshot()) {
                    float[] values = floats(snapshot);
                    torn += values[0] == values[weights.length - 1] ? 0 : 1;
                  }
                } while (trained.getCount() > 0);
                return torn;
              });
      for (int step = 1; step <= 300; step++) {
        Arrays.fill(weights, step);
        average.update(model);
      }
      trained.countDown();
      assertThat(reader.get()).isZero();
    }
  }

  @Test
  void readersSeeAllEntriesOfOneUpdateWhateverTheWriterDoes() throws Exception {
    float[] first = new float[20_000];
    float[] last = new float[20_000];
    long[] steps = {0};
    StateDict<ArrayTensor> model =
        Models.dict()
            .parameter("first", Models.tensor(first))
            .counter("steps", ArrayTensor.of(steps, 1))
            .statistic("last", Models.tensor(last))
            .build();
    try (var average =
        averaging().strategy(EmaStrategy.nameMatched(0)).canary(false).build(model)) {
      CountDownLatch trained = new CountDownLatch(1);
      List<Future<Set<Float>>> readers = new ArrayList<>();
      for (int reader = 0; reader < 2; reader++) {
        readers.add(others.submit(() -> stepsSeen(average, trained)));
      }
      for (int step = 1; step <= 200; step++) {
        Arrays.fill(first, step);
        Arrays.fill(last, step);
        steps[0] = step;
        if (step % 10 == 0) {
          average.set(model);
        } else {
          average.update(model);
        }
        average.swapInto(model).close();
        average.copyTo(model);
      }
      trained.countDown();
      for (Future<Set<Float>> reader : readers) {
        assertThat(reader.get()).isSubsetOf(wholeSteps()).isNotEmpty();
      }
    }
  }

  /** Returns the steps of the snapshots; NaN for one whose entries are of different steps. */
  private static Set<Float> stepsSeen(
      ModelEma<StateDict<ArrayTensor>> average, CountDownLatch trained) {
    Set<Float> seen = new HashSet<>();
    float newest = 0;
    do {
      try (StateDict<?> snapshot = average.snapshot()) {
        float step = Models.longs(snapshot, "steps")[0];
        boolean whole = step >= newest;
        for (String name : List.of("first", "last")) {
          for (float value : floats(snapshot, name)) {
            whole &= value == step;
          }
        }
        seen.add(whole ? step : Float.NaN);
        newest = step;
      }
    } while (trained.getCount() > 0);
    return seen;
  }

  private static Set<Float> wholeSteps() {
    Set<Float> steps = new HashSet<>();
    for (int step = 0; step <= 200; step++) {
      steps.add((float) step);
    }
    return steps;
  }

  @Test
  @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD) // where it would wait
  void aSecondCallUnderWayIsAnErrorAndChangesNothing() throws Exception {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = halving(model)) {
      CountDownLatch inside = new CountDownLatch(1);
      CountDownLatch go = new CountDownLatch(1);
      Future<?> first =
          others.submit(
              () ->
                  average.update(
                      model,
                      ArrayTensor.class,
                      (e, m, decay) -> {
                        inside.countDown();
                        await(go);
                      }));
      await(inside);
      assertThatIllegalStateException()
          .isThrownBy(() -> average.update(model))
          .withMessage(
              "cannot update the average while another call on the average is under way; use it"
                  + " from one thread at a time");
      assertThatIllegalStateException().isThrownBy(average::close);
      assertThat(average.progress().updates()).isZero();
      go.countDown();
      first.get();
      assertThat(average.progress().updates()).isEqualTo(1);
      average.update(model);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aSnapshotOfAClosedAverageIsRefused() {
    ModelEma<StateDict<ArrayTensor>> average = halving(model("w", 0));
    average.close();
    assertThatIllegalStateException()
        .isThrownBy(average::snapshot)
        .withMessage("the average is closed");
  }
}
