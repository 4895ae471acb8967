package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {
  private static final long LARGE = 1L << 30;

  @AfterEach
  void clear() {
    System.clearProperty(Workers.PROPERTY);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7})
  void everyPositionIsDoneOnce(int threads) {
    Workers workers = new Workers(threads, new HostKernel());
    for (int positions : new int[] {0, 1, 63, 64, 1000, 1001}) {
      AtomicIntegerArray done = new AtomicIntegerArray(positions);
      workers.run(
          positions,
          LARGE,
          (kernel, begin, end) -> {
            for (long i = begin; i < end; i++) {
              done.incrementAndGet((int) i);
            }
          });
      for (int i = 0; i < positions; i++) {
        assertThat(done.get(i)).as("position %s of %s", i, positions).isEqualTo(1);
      }
    }
  }

  @Test
  void partsRunAtTheSameTimeEachWithItsOwnKernel() {
    Workers workers = new Workers(3, new HostKernel());
    CyclicBarrier all = new CyclicBarrier(3);
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    Set<HostKernel> kernels = ConcurrentHashMap.newKeySet();

    workers.run(
        3000,
        LARGE,
        (kernel, begin, end) -> {
          kernels.add(kernel);
          if (threads.add(Thread.currentThread())) {
            await(all);
          }
        });

    assertThat(threads).hasSize(3).contains(Thread.currentThread());
    assertThat(kernels).hasSize(3).contains(workers.kernel());
  }

  private static void await(CyclicBarrier all) {
    try {
      all.await(1, TimeUnit.MINUTES);
    } catch (Exception e) {
      throw new IllegalStateException("the parts do not run at the same time", e);
    }
  }

  @Test
  void littleWorkStaysOnTheCallersThread() {
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    new Workers(4, new HostKernel())
        .run(1000, 12_000, (kernel, begin, end) -> threads.add(Thread.currentThread()));
    assertThat(threads).containsExactly(Thread.currentThread());
  }

  @Test
  void aFailureOfTheCallersThreadIsTold() {
    Thread caller = Thread.currentThread();
    assertFailureIsTold(thread -> thread == caller);
  }

  @Test
  void aFailureOfAHelperIsTold() {
    Thread caller = Thread.currentThread();
    assertFailureIsTold(thread -> thread != caller);
  }

  private static void assertFailureIsTold(Predicate<Thread> failing) {
    Workers workers = new Workers(2, new HostKernel());
    CyclicBarrier both = new CyclicBarrier(2);
    AtomicInteger working = new AtomicInteger();
    assertThatIllegalStateException()
        .isThrownBy(
            () ->
                workers.run(
                    128,
                    LARGE,
                    (kernel, begin, end) -> {
                      working.incrementAndGet();
                      await(both);
                      if (failing.test(Thread.currentThread())) {
                        working.decrementAndGet();
                        throw new IllegalStateException("broken");
                      }
                      working.decrementAndGet();
                    }))
        .withMessage("broken");
    assertThat(working).hasValue(0);
    AtomicInteger done = new AtomicInteger();
    workers.run(2000, LARGE, (kernel, begin, end) -> done.addAndGet((int) (end - begin)));
    assertThat(done).hasValue(2000);
  }

  @Test
  void operationsOfSeveralThreadsDoNotMix() throws Exception {
    int operations = 200;
    ExecutorService callers = Executors.newFixedThreadPool(4);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int caller = 0; caller < 4; caller++) {
        Workers workers = new Workers(3, new HostKernel());
        all.add(
            callers.submit(
                () -> {
                  for (int i = 0; i < operations; i++) {
                    AtomicLong done = new AtomicLong();
                    int positions = 1 + 97 * i;
                    workers.run(
                        positions, LARGE, (kernel, begin, end) -> done.addAndGet(end - begin));
                    assertThat(done).hasValue(positions);
                  }
                }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    } finally {
      callers.shutdownNow();
    }
  }

  @Test
  void thePropertySaysHowManyThreads() {
    assertThat(Workers.configuredThreads())
        .isEqualTo(Math.min(4, Runtime.getRuntime().availableProcessors()));
    System.setProperty(Workers.PROPERTY, "7");
    assertThat(Workers.configuredThreads()).isEqualTo(7);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "257", "two", ""})
  void aPropertyThatIsNoNumberOfThreadsIsRefused(String text) {
    System.setProperty(Workers.PROPERTY, text);
    assertThatIllegalArgumentException()
        .isThrownBy(Workers::configuredThreads)
        .withMessage(
            "the system property ema.threads must be a whole number from 1 to 256, but was '"
                + text
                + "'");
  }
}
