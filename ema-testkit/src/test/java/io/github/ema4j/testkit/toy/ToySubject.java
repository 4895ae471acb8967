package io.github.ema4j.testkit.toy;

import io.github.ema4j.Device;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.BackendUnderTest;
import io.github.ema4j.testkit.Capability;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/** The toy framework as its author declares it. */
public class ToySubject implements BackendUnderTest<ToyModel, ToyTensor> {
  private final ToyAdapter adapter;

  /** Declares toys over an adapter, which may be broken. */
  public ToySubject(ToyAdapter adapter) {
    this.adapter = adapter;
  }

  @Override
  public ModelAdapter<ToyModel, ToyTensor> adapter() {
    return adapter;
  }

  @Override
  public Set<Capability> capabilities() {
    return EnumSet.allOf(Capability.class);
  }

  @Override
  public ToyModel newModel(StateDict<ArrayTensor> like) {
    ToyModel model = new ToyModel();
    IdentityHashMap<ArrayTensor, ToyTensor> tensors = new IdentityHashMap<>();
    for (Entry<ArrayTensor> entry : like.entries()) {
      model.roles().put(entry.name(), entry.role());
      model
          .tensors()
          .put(
              entry.name(),
              tensors.computeIfAbsent(
                  entry.tensor(),
                  tensor ->
                      healthy().allocate(List.of(entry.spec().withDevice(Device.CPU))).get(0)));
    }
    return model;
  }

  /** What models are made with: a broken backend is to be found by its own work. */
  private static ToyBackend healthy() {
    return new ToyBackend();
  }

  @Override
  public void release(ToyModel model) {
    healthy().release(model.distinctTensors());
  }

  @Override
  public void relocate(ToyModel model) {
    ToyAdapter mover = new ToyAdapter(healthy());
    model.tensors().replaceAll((name, tensor) -> mover.copied(tensor));
  }

  @Override
  public Device otherDevice() {
    return ToyBackend.FAR;
  }

  @Override
  public long nativeBytes() {
    return adapter.backend().liveBytes();
  }
}
