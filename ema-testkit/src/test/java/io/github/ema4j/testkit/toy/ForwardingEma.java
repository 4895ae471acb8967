package io.github.ema4j.testkit.toy;

import io.github.ema4j.Device;
import io.github.ema4j.Drift;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import io.github.ema4j.Swap;
import io.github.ema4j.UpdateRule;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.OnConfigChange;
import java.io.IOException;
import java.nio.file.Path;

/** An average that does what another does, until something is overridden. */
public class ForwardingEma implements ModelEma<ToyModel> {
  /** The average that works. */
  protected final ModelEma<ToyModel> real;

  /** Forwards to an average. */
  protected ForwardingEma(ModelEma<ToyModel> real) {
    this.real = real;
  }

  @Override
  public void update(ToyModel model) {
    real.update(model);
  }

  @Override
  public void update(ToyModel model, long elapsed) {
    real.update(model, elapsed);
  }

  @Override
  public <T> void update(ToyModel model, Class<T> tensorType, UpdateRule<T> rule) {
    real.update(model, tensorType, rule);
  }

  @Override
  public void set(ToyModel model) {
    real.set(model);
  }

  @Override
  public void load(StateDict<?> state) {
    real.load(state);
  }

  @Override
  public void load(StateDict<?> state, Progress progress) {
    real.load(state, progress);
  }

  @Override
  public void to(Device device) {
    real.to(device);
  }

  @Override
  public void close() {
    real.close();
  }

  @Override
  public Swap swapInto(ToyModel model) {
    return real.swapInto(model);
  }

  @Override
  public void copyTo(ToyModel target, double factor) {
    real.copyTo(target, factor);
  }

  @Override
  public ToyModel module() {
    return real.module();
  }

  @Override
  public StateDict<?> state() {
    return real.state();
  }

  @Override
  public StateDict<?> snapshot() {
    return real.snapshot();
  }

  @Override
  public Drift drift(ToyModel model) {
    return real.drift(model);
  }

  @Override
  public Progress progress() {
    return real.progress();
  }

  @Override
  public boolean swapped() {
    return real.swapped();
  }

  @Override
  public void save(Path file) throws IOException {
    real.save(file);
  }

  @Override
  public CheckpointContent capture() {
    return real.capture();
  }

  @Override
  public void resumeFrom(Checkpoint checkpoint, OnConfigChange choice) {
    real.resumeFrom(checkpoint, choice);
  }
}
