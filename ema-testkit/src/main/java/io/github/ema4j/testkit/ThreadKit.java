package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.SeededModels.Values;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * Checks that averages work on every thread, and leave no memory behind.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class ThreadKit<M, T> extends RuleKit<M, T> {
  private static final int ELEMENTS = 1 << 17;

  /** Until the compiler has taken out what an interpreted kernel allocates. */
  private static final int MOST_UPDATES = 5_000;

  /**
   * If this fails, look at what the framework keeps for each thread: gradients, scopes, devices.
   */
  @Test
  @DisplayName("EMA-T01 An average that is updated and used on another thread is the same")
  protected void anotherThread() throws Exception {
    StateDict<ArrayTensor> start = filled(models().network(), 1, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(start, 2, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, UpdateKit.lerp(0.75));
    write(later, model);

    onAnotherThread(
        () -> {
          ema.update(model);
          ema.swapInto(model).close();
          return ema;
        });

    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    expected.update(later, 0.75);
    evidence.sameBits(ema.state(), expected.entries());
    assertSameBits("the model", bits(model), bits(later));
  }

  /** If this fails, two threads can write one average at once. */
  @Test
  @DisplayName("EMA-T02 A call that finds another under way is refused; progress can be read")
  protected void callsExcludeOneAnother() {
    StateDict<ArrayTensor> start = filled(models().matrix(), 3, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, UpdateKit.lerp(0.75));
    long[] updates = {-1};

    ema.update(
        model,
        backend().tensorType(),
        (average, from, decay) -> {
          assertThatIllegalStateException()
              .isThrownBy(
                  () ->
                      onAnotherThread(
                          () -> {
                            updates[0] = ema.progress().updates();
                            ema.update(model);
                            return ema;
                          }));
        });

    assertThat(updates[0]).isZero();
    assertSameBits("the average", bits(ema.state()), bits(start));
    assertThat(ema.progress().updates()).isEqualTo(1);
  }

  /** If this fails, look for state that two averages share: buffers, scopes, an allocator. */
  @Test
  @DisplayName("EMA-T03 Averages of two models are updated at once on two threads")
  protected void averagesAreIndependent() throws Exception {
    List<FutureTask<Void>> runs = List.of(run(100), run(200));
    for (FutureTask<Void> run : runs) {
      new Thread(run, "averaging").start();
    }
    for (FutureTask<Void> run : runs) {
      result(run);
    }
  }

  private FutureTask<Void> run(long seed) {
    StateDict<ArrayTensor> start = filled(models().sizes(ElementType.F32), seed, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, UpdateKit.lerp(0.9));
    return new FutureTask<>(
        () -> {
          OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
          for (int step = 1; step <= 3; step++) {
            StateDict<ArrayTensor> values = filled(start, seed + step, Values.ORDINARY);
            write(values, model);
            ema.update(model);
            expected.update(values, 0.9);
          }
          new Evidence().sameBits(ema.state(), expected.entries());
          return null;
        });
  }

  /** If this fails, {@code memory} copies: look for arrays or buffers of the tensor's size. */
  @Test
  @DisplayName("EMA-T04 An update allocates nothing on the Java heap that grows with the model")
  protected void updatesDoNotAllocate() {
    M model = model(large());
    ModelEma<M> ema = average(model, UpdateKit.lerp(0.9));

    assertThat(Allocations.least(() -> ema.update(model), MOST_UPDATES, ELEMENTS))
        .as("bytes allocated for a model of %d bytes", 4 * ELEMENTS)
        .isLessThan(ELEMENTS);
  }

  /** If this fails, look for handles and temporaries that are not freed at each update. */
  @Test
  @Needs(Capability.COUNTED_MEMORY)
  @DisplayName("EMA-T05 Updates, swaps and copies leave no native memory behind")
  protected void updatesDoNotLeak() {
    M model = model(large());
    ModelEma<M> ema = average(model, UpdateKit.lerp(0.9));
    useOnce(ema, model);
    long before = subject().nativeBytes();

    for (int step = 0; step < 50; step++) {
      useOnce(ema, model);
    }

    assertThat(subject().nativeBytes() - before)
        .as("native bytes more after 50 updates of a model of %d bytes", 4 * ELEMENTS)
        .isLessThan(4 * ELEMENTS);
  }

  /** If this fails, look at {@code release}, {@code releaseCopy} and the state dict's close. */
  @Test
  @Needs(Capability.COUNTED_MEMORY)
  @DisplayName("EMA-T06 A closed average leaves no native memory behind")
  protected void closedAveragesDoNotLeak() {
    M model = model(large());
    long before = subject().nativeBytes();

    for (int i = 0; i < 10; i++) {
      try (ModelEma<M> ema =
          subject().start(ModelEma.builder(adapter()), UpdateKit.lerp(0.9), model)) {
        useOnce(ema, model);
      }
    }

    assertThat(subject().nativeBytes() - before)
        .as("native bytes more after 10 averages of a model of %d bytes", 4 * ELEMENTS)
        .isLessThan(4 * ELEMENTS);
  }

  private void useOnce(ModelEma<M> ema, M model) {
    ema.update(model);
    ema.swapInto(model).close();
    ema.copyTo(model, 0.5);
    ema.snapshot().close();
    ema.update(model, backend().tensorType(), (average, from, decay) -> {});
  }

  private static StateDict<ArrayTensor> large() {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("large", SeededModels.tensor(ElementType.F32, ELEMENTS))
        .build();
  }

  private static <V> V onAnotherThread(Callable<V> work) throws Exception {
    FutureTask<V> task = new FutureTask<>(work);
    new Thread(task, "another").start();
    return result(task);
  }

  private static <V> V result(FutureTask<V> task) throws Exception {
    try {
      return task.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception failure) {
        throw failure;
      }
      throw (Error) e.getCause();
    }
  }
}
