package io.github.ema4j;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.Sets;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** The adapter for which a state dict is the model itself. */
record StateDictAdapter<T>(TensorBackend<T> backend) implements ModelAdapter<StateDict<T>, T> {

  /**
   * A view that leaves closing to the owner. It remembers what it saw: the model's own news of a
   * change reaches only the first of several views that ask.
   */
  private static final class Unowned<T> implements StateDict<T> {
    private final StateDict<T> owned;
    private ImmutableList<Entry<T>> seen = ImmutableList.of();

    Unowned(StateDict<T> owned) {
      this.owned = owned;
      refresh();
    }

    @Override
    public TensorBackend<T> backend() {
      return owned.backend();
    }

    @Override
    public List<Entry<T>> entries() {
      return seen;
    }

    @Override
    public boolean refresh() {
      boolean moved = owned.refresh();
      ImmutableList<Entry<T>> before = seen;
      seen = ImmutableList.copyOf(owned.entries());
      return moved || !isSame(before, seen);
    }

    private static <T> boolean isSame(List<Entry<T>> before, List<Entry<T>> now) {
      return before == now
          || (before.size() == now.size()
              && IntStream.range(0, now.size()).allMatch(i -> isSame(before.get(i), now.get(i))));
    }

    private static <T> boolean isSame(Entry<T> before, Entry<T> now) {
      return before.tensor() == now.tensor() // tensors may be equal by content
          && before.name().equals(now.name())
          && before.spec().equals(now.spec())
          && before.role() == now.role();
    }
  }

  @Override
  public StateDict<T> stateDict(StateDict<T> model) {
    return new Unowned<>(model);
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
