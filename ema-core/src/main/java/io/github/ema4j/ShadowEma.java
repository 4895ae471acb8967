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

/** A single average: the only member of its {@link Averages}. */
record ShadowEma<M, T>(Averages<M, T> averages, Member<M, T> member) implements ModelEma<M> {

  static <M, T> ShadowEma<M, T> start(
      ModelAdapter<M, T> adapter,
      EmaConfig config,
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
    return new ShadowEma<>(averages, averages.members().get(0));
  }

  @Override
  public void update(M model) {
    averages.update(model);
  }

  @Override
  public void update(M model, long elapsed) {
    averages.update(model, elapsed);
  }

  @Override
  public <R> void update(M model, Class<R> tensorType, UpdateRule<R> rule) {
    averages.update(model, tensorType, rule);
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
  public Progress progress() {
    return member.progress();
  }

  @Override
  public boolean swapped() {
    return member.swapped();
  }

  @Override
  public void close() {
    averages.close();
  }
}
