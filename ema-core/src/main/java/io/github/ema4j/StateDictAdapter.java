package io.github.ema4j;

import com.google.common.collect.Sets;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.Set;

/** The adapter for which a state dict is the model itself. */
record StateDictAdapter<T>(TensorBackend<T> backend) implements ModelAdapter<StateDict<T>, T> {

  @Override
  public StateDict<T> stateDict(StateDict<T> model) {
    return new SeenStateDict<>(model); // closing is the owner's
  }

  @Override
  public StateDict<T> copy(StateDict<T> model) {
    model.refresh();
    List<Entry<T>> entries = model.entries();
    Tensors<T> originals = new Tensors<>("model", backend, entries);
    Shadow<T> copy = Shadow.copyOf(originals, entries.stream().map(Entry::spec).toList());
    return new FixedStateDict<>(backend, copy.entries());
  }

  @Override
  public void evaluationMode(StateDict<T> copy) {
    // Tensors alone have no mode.
  }

  @Override
  public void releaseCopy(StateDict<T> copy) {
    Set<T> tensors = Sets.newIdentityHashSet(); // tied ones once; tensors may be equal by content
    copy.entries().forEach(entry -> tensors.add(entry.tensor()));
    backend.release(List.copyOf(tensors));
  }
}
