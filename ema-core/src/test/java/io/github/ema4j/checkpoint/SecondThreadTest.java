package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class SecondThreadTest {

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void bothHalvesRunAtTheSameTime() {
    CountDownLatch there = new CountDownLatch(1);
    CountDownLatch here = new CountDownLatch(1);
    try (SecondThread second = new SecondThread()) {
      second.both(
          () -> {
            there.countDown();
            await(here);
          },
          () -> {
            await(there);
            here.countDown();
          });
    }
    assertThat(here.getCount()).isZero();
  }

  @Test
  void whatFailsIsThrownWhenBothHaveEnded() {
    CountDownLatch failed = new CountDownLatch(1);
    boolean[] ended = {false};
    try (SecondThread second = new SecondThread()) {
      assertThatThrownBy(
              () ->
                  second.both(
                      () -> {
                        await(failed);
                        ended[0] = true;
                        throw new IllegalStateException("there");
                      },
                      () -> {
                        failed.countDown();
                        throw new IOException("here");
                      }))
          .isInstanceOf(IOException.class)
          .hasMessage("here")
          .satisfies(e -> assertThat(e.getSuppressed()[0]).hasMessage("there"));
      assertThat(ended[0]).isTrue();
      assertThatThrownBy(
              () ->
                  second.both(
                      () -> {
                        throw new OutOfMemoryError("there");
                      },
                      () -> {}))
          .isInstanceOf(OutOfMemoryError.class)
          .hasMessage("there");
      second.both(() -> {}, () -> {}); // and it goes on
    }
  }
}
