package io.github.ema4j;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A view of a state dict whose closing is left to its owner. It remembers what it saw: the model's
 * own news of a change reaches only the first of several views that ask.
 */
final class SeenStateDict<T> implements StateDict<T> {
  private final StateDict<T> owned;
  private ImmutableList<Entry<T>> seen = ImmutableList.of();

  SeenStateDict(StateDict<T> owned) {
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
  public StateDict<T> whole() {
    return owned.whole();
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
