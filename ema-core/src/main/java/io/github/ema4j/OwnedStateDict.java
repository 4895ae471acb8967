package io.github.ema4j;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;

/** A state dict of tensors that are freed with it. */
final class OwnedStateDict<T> implements StateDict<T> {
  private final TensorBackend<T> backend;
  private final ImmutableList<Entry<T>> entries;
  private final Runnable release;
  private boolean closed;

  OwnedStateDict(TensorBackend<T> backend, ImmutableList<Entry<T>> entries, Runnable release) {
    this.backend = backend;
    this.entries = entries;
    this.release = release;
  }

  @Override
  public TensorBackend<T> backend() {
    return backend;
  }

  @Override
  public List<Entry<T>> entries() {
    return entries;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      release.run();
    }
  }
}
