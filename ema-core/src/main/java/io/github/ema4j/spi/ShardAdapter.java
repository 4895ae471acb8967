package io.github.ema4j.spi;

import io.github.ema4j.StateDict;

/** Binds one shard of a framework's models to core. */
record ShardAdapter<M, T>(ModelAdapter<M, T> adapter, int index, int count)
    implements ModelAdapter<M, T> {

  @Override
  public TensorBackend<T> backend() {
    return adapter.backend();
  }

  @Override
  public StateDict<T> stateDict(M model) {
    StateDict<T> whole = adapter.stateDict(model);
    try {
      return whole.shard(index, count);
    } catch (RuntimeException | Error e) {
      whole.close();
      throw e;
    }
  }

  @Override
  public M copy(M model) {
    throw noModule();
  }

  @Override
  public boolean initializeLike(M copy, M model) {
    throw noModule();
  }

  @Override
  public void evaluationMode(M copy) {
    throw noModule();
  }

  @Override
  public void releaseCopy(M copy) {
    throw noModule(); // none is made
  }

  private UnsupportedOperationException noModule() {
    return new UnsupportedOperationException(
        String.format(
            "the average of shard %s of %s has not all weights of a module; load them from a"
                + " checkpoint that the processes have saved, or have each swap in its shard",
            index, count));
  }
}
