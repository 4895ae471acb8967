package io.github.ema4j;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.internal.Sharding;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;

/** A view of one shard of a state dict. */
final class ShardStateDict<T> implements StateDict<T> {
  private final StateDict<T> owned;
  private final SeenStateDict<T> whole;
  private final int index;
  private final int count;
  private ImmutableList<Entry<T>> entries;

  /** Takes a state dict, which is closed with this one. */
  ShardStateDict(StateDict<T> owned, int index, int count) {
    this.owned = owned;
    this.whole = new SeenStateDict<>(owned);
    this.index = index;
    this.count = count;
    entries = divided();
  }

  private ImmutableList<Entry<T>> divided() {
    return Sharding.shard(new Tensors<>("model", backend(), whole.entries()), index, count);
  }

  @Override
  public TensorBackend<T> backend() {
    return whole.backend();
  }

  @Override
  public List<Entry<T>> entries() {
    return entries;
  }

  @Override
  public StateDict<T> whole() {
    return whole;
  }

  @Override
  public boolean refresh() {
    boolean moved = whole.refresh();
    if (moved) {
      entries = divided();
    }
    return moved;
  }

  @Override
  public void close() {
    owned.close();
  }
}
