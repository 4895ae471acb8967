package io.github.ema4j;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A single average: the only member of its {@link Averages}.
 *
 * @param listener who is told of updates; null if nobody is
 */
record ShadowEma<M, T>(
    Averages<M, T> averages, Member<M, T> member, @Nullable AverageListener listener)
    implements ModelEma<M> {

  static <M, T> ShadowEma<M, T> start(
      ModelAdapter<M, T> adapter,
      EmaConfig config,
      @Nullable AverageListener listener,
      @Nullable Supplier<M> moduleSupplier,
      @Nullable M moduleCopy,
      M model) {
    Averages<M, T> averages =
        Averages.start(
            adapter,
            config,
            ImmutableList.of(config.strategy().schedule()),
            moduleSupplier,
            moduleCopy,
            model);
    averages.logStart(config);
    Member<M, T> member = averages.members().get(0);
    if (listener != null) {
      try {
        listener.started(member, config);
      } catch (RuntimeException | Error e) {
        averages.close();
        throw e;
      }
    }
    return new ShadowEma<>(averages, member, listener);
  }

  /** Updates the average, and tells the listener if that was due. */
  private void update(M model, AverageListener told, Runnable update) {
    long updates = member.progress().updates();
    long begin = System.nanoTime();
    update.run();
    long nanos = System.nanoTime() - begin;
    if (member.progress().updates() != updates) {
      told.updated(member, nanos, () -> member.drift(model));
    }
  }

  @Override
  public void update(M model) {
    if (listener == null) {
      averages.update(model);
    } else {
      update(model, listener, () -> averages.update(model));
    }
  }

  @Override
  public void update(M model, long elapsed) {
    if (listener == null) {
      averages.update(model, elapsed);
    } else {
      update(model, listener, () -> averages.update(model, elapsed));
    }
  }

  @Override
  public <R> void update(M model, Class<R> tensorType, UpdateRule<R> rule) {
    if (listener == null) {
      averages.update(model, tensorType, rule);
    } else {
      update(model, listener, () -> averages.update(model, tensorType, rule));
    }
  }

  @Override
  public void set(M model) {
    averages.set(model);
  }

  @Override
  public void load(StateDict<?> state) {
    averages.load(0, state, member.progress().restarted());
  }

  @Override
  public void load(StateDict<?> state, Progress progress) {
    averages.load(0, state, progress);
  }

  @Override
  public void save(Path file) throws IOException {
    checkpointing().save(file);
  }

  @Override
  public CheckpointContent capture() {
    return checkpointing().capture();
  }

  @Override
  public void resumeFrom(Checkpoint checkpoint, OnConfigChange choice) {
    checkpointing().resumeFrom(checkpoint, choice);
  }

  private Checkpointing<M, T> checkpointing() {
    return new Checkpointing<>(averages, ImmutableList.of(""));
  }

  @Override
  public void to(Device device) {
    averages.to(device);
  }

  @Override
  public Swap swapInto(M model) {
    return member.swapInto(model);
  }

  @Override
  public void copyTo(M model, double factor) {
    member.copyTo(model, factor);
  }

  @Override
  public M module() {
    return member.module();
  }

  @Override
  public StateDict<?> state() {
    return member.state();
  }

  @Override
  public StateDict<?> snapshot() {
    return member.snapshot();
  }

  @Override
  public Drift drift(M model) {
    return member.drift(model);
  }

  @Override
  public Progress progress() {
    return member.progress();
  }

  @Override
  public boolean swapped() {
    return member.swapped();
  }

  @Override
  public void close() {
    try {
      if (listener != null && averages.gate().isClosable()) {
        listener.closing(member, () -> member.drift(averages.model()));
      }
    } finally {
      averages.close();
    }
  }
}
