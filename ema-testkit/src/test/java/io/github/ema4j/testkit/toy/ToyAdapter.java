package io.github.ema4j.testkit.toy;

import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.ModelAdapter;
import java.util.IdentityHashMap;
import java.util.List;

/** Binds toy models. */
public class ToyAdapter implements ModelAdapter<ToyModel, ToyTensor> {
  private final ToyBackend backend;

  /** Binds models over a backend, which may be broken. */
  public ToyAdapter(ToyBackend backend) {
    this.backend = backend;
  }

  @Override
  public ToyBackend backend() {
    return backend;
  }

  @Override
  public StateDict<ToyTensor> stateDict(ToyModel model) {
    return model.stateDict(backend);
  }

  @Override
  public ToyModel copy(ToyModel model) {
    ToyModel copy = new ToyModel();
    copy.roles().putAll(model.roles());
    IdentityHashMap<ToyTensor, ToyTensor> copies = new IdentityHashMap<>();
    model
        .tensors()
        .forEach(
            (name, tensor) ->
                copy.tensors().put(name, copies.computeIfAbsent(tensor, this::copied)));
    return copy;
  }

  /** Returns a copy of a tensor. */
  public ToyTensor copied(ToyTensor tensor) {
    TensorSpec spec = tensor.spec();
    ToyTensor copy = backend.allocate(List.of(spec)).get(0);
    backend.copy(List.of(copy), List.of(tensor));
    return copy;
  }

  @Override
  public void evaluationMode(ToyModel copy) {
    // Toys have no mode.
  }

  @Override
  public void releaseCopy(ToyModel copy) {
    backend.release(copy.distinctTensors());
  }
}
