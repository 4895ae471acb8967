package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayTensor;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

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
