package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * An ordered, named view of a model's live tensors; never a copy. Names are unique.
 *
 * <p>A state dict is a model too: with {@link #adapter} gradients, plain arrays or any other named
 * tensors are averaged by the same engine.
 *
 * @param <T> the framework's tensor type
 */
public interface StateDict<T> extends AutoCloseable {

  /** Returns what knows about these tensors. */
  TensorBackend<T> backend();

  /** Returns the entries in the model's order. */
  List<Entry<T>> entries();

  /**
   * Looks at the model again. Called before each use of a state dict that is kept.
   *
   * @return whether an entry came, went, or is now another tensor or lies differently; {@link
   *     #entries} then says how things are now
   * @throws IllegalStateException if a tensor was closed or released, naming it
   */
  default boolean refresh() {
    return false;
  }

  /**
   * Tells whether {@link #refresh} looks where the memory of each tensor is, so that tensors that
   * are open need not be opened again.
   */
  default boolean tellsMoves() {
    return false;
  }

  /**
   * Returns a live view of one of several shards, for a process that averages its part of a model.
   * Every tensor is in one of them; they are balanced by bytes, the same in every process that has
   * the same model, and keep tied tensors together. Closing it closes this state dict.
   *
   * @param index which shard, in [0, count)
   * @param count how many shards there are; at most as many as tensors, tied ones counted as one
   * @throws IllegalArgumentException if there are not so many tensors, or they overlap without
   *     being tied
   * @throws IndexOutOfBoundsException if there is no such shard
   * @throws IllegalStateException if a tensor is closed or released
   */
  default StateDict<T> shard(int index, int count) {
    return new ShardStateDict<>(this, index, count);
  }

  /** Returns the state dict that this is a shard of; this one itself if it is none. */
  default StateDict<T> whole() {
    return this;
  }

  /** Releases what the view itself holds, such as native handles; never the model's tensors. */
  @Override
  default void close() {}

  /** Starts a state dict of given tensors. */
  static <T> Builder<T> builder(TensorBackend<T> backend) {
    return new Builder<>(backend);
  }

  /** Returns the adapter for which a state dict is the model itself. */
  static <T> ModelAdapter<StateDict<T>, T> adapter(TensorBackend<T> backend) {
    return new StateDictAdapter<>(backend);
  }

  /**
   * One tensor of a model.
   *
   * @param name its name, unique in the state dict
   * @param tensor the live tensor
   * @param spec what it looked like when the entry was made
   * @param role what it is to the model
   * @param <T> the framework's tensor type
   */
  record Entry<T>(String name, T tensor, TensorSpec spec, Role role) {

    /** Checks that all parts are there. */
    public Entry {
      requireNonNull(name, "name");
      requireNonNull(tensor, "tensor");
      requireNonNull(spec, "spec");
      requireNonNull(role, "role");
    }
  }

  /**
   * Collects tensors into a state dict. The tensors stay the caller's.
   *
   * @param <T> the framework's tensor type
   */
  final class Builder<T> {
    private final TensorBackend<T> backend;
    private final List<Entry<T>> entries = new ArrayList<>();
    private final Set<String> names = new HashSet<>();

    private Builder(TensorBackend<T> backend) {
      this.backend = requireNonNull(backend, "backend");
    }

    /** Adds a {@link Role#PARAMETER}. */
    public Builder<T> parameter(String name, T tensor) {
      return add(name, tensor, Role.PARAMETER);
    }

    /** Adds a {@link Role#STATISTIC}. */
    public Builder<T> statistic(String name, T tensor) {
      return add(name, tensor, Role.STATISTIC);
    }

    /** Adds a {@link Role#COUNTER}. */
    public Builder<T> counter(String name, T tensor) {
      return add(name, tensor, Role.COUNTER);
    }

    /**
     * Adds a tensor.
     *
     * @throws IllegalArgumentException if the name is taken
     * @throws IllegalStateException if the tensor is closed or released
     * @throws UnsupportedOperationException if the backend refuses tensors of its kind
     */
    public Builder<T> add(String name, T tensor, Role role) {
      checkArgument(
          !names.contains(name), "a state dict has one entry named '%s', but got two", name);
      entries.add(new Entry<>(name, tensor, describe(name, tensor), role));
      names.add(name);
      return this;
    }

    /** Returns the state dict of the tensors added so far. */
    public StateDict<T> build() {
      return new FixedStateDict<>(backend, ImmutableList.copyOf(entries));
    }

    private TensorSpec describe(String name, T tensor) {
      try {
        return backend.describe(tensor);
      } catch (IllegalStateException e) {
        throw new IllegalStateException("entry '" + name + "': " + e.getMessage(), e);
      } catch (UnsupportedOperationException e) {
        throw new UnsupportedOperationException("entry '" + name + "': " + e.getMessage(), e);
      }
    }
  }
}
