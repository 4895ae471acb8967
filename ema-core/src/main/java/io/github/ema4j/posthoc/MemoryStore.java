package io.github.ema4j.posthoc;

import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.util.List;

/** Keeps snapshots in Java arrays. */
final class MemoryStore implements SnapshotStore {
  private static final ArrayBackend ARRAYS = ArrayBackend.instance();

  @Override
  public <T> Snapshot keep(Profile profile, SnapshotLayout layout, Tensors<T> state) {
    List<ArrayTensor> tensors = ARRAYS.allocate(layout.specs());
    List<Entry<ArrayTensor>> entries = layout.entries(tensors);
    try {
      TensorPairs.copying(new Tensors<>("snapshot", ARRAYS, entries), state).copy();
    } catch (RuntimeException | Error e) {
      ARRAYS.release(tensors);
      throw e;
    }
    StateDict.Builder<ArrayTensor> copy = StateDict.builder(ARRAYS);
    entries.forEach(entry -> copy.add(entry.name(), entry.tensor(), entry.role()));
    return new Snapshot(profile, copy.build());
  }

  @Override
  public void verify(Snapshot snapshot) {
    // Memory is as it was written.
  }

  @Override
  public void drop(Snapshot snapshot) {
    close(snapshot);
  }

  @Override
  public void supersede(Snapshot snapshot) {
    close(snapshot);
  }

  @Override
  public void close(Snapshot snapshot) {
    snapshot.state().entries().stream()
        .map(entry -> (ArrayTensor) entry.tensor())
        .distinct()
        .forEach(tensor -> ARRAYS.release(List.of(tensor)));
  }
}
