package io.github.ema4j.internal;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Tensors that lie as a model's tensors lie and belong to an average. Tied entries share one
 * tensor.
 *
 * @param <T> the framework's tensor type
 */
public final class Shadow<T> {
  private final TensorBackend<T> backend;
  private final List<T> allocated;
  private final ImmutableList<Entry<T>> entries;

  /** Whether others have the tensors too, who may do to them what they like. */
  private boolean shared;

  private Shadow(TensorBackend<T> backend, List<T> allocated, ImmutableList<Entry<T>> entries) {
    this.backend = backend;
    this.allocated = allocated;
    this.entries = entries;
  }

  /**
   * Allocates a tensor for each entry, of unspecified content.
   *
   * @param originals the entries to follow
   * @param wanted for each entry the type, shape, strides and device of its shadow
   * @throws IllegalArgumentException if the originals overlap without being tied
   * @throws UnsupportedOperationException if the backend has no such tensors
   */
  public static <T> Shadow<T> like(Tensors<T> originals, List<TensorSpec> wanted) {
    int[] ties = originals.ties();
    List<TensorSpec> specs = new ArrayList<>();
    int[] allocatedFor = new int[ties.length];
    for (int i = 0; i < ties.length; i++) {
      if (ties[i] == i) {
        TensorSpec spec = wanted.get(i);
        allocatedFor[i] = specs.size();
        specs.add(spec.isDense() ? spec : spec.withRowMajorStrides());
      }
    }
    TensorBackend<T> backend = originals.backend();
    List<T> allocated = backend.allocate(specs);
    try {
      ImmutableList.Builder<Entry<T>> entries = ImmutableList.builder();
      for (int i = 0; i < ties.length; i++) {
        Entry<T> original = originals.entries().get(i);
        T tensor = allocated.get(allocatedFor[ties[i]]);
        TensorSpec spec = backend.describe(tensor);
        entries.add(new Entry<>(original.name(), tensor, spec, original.role()));
      }
      return new Shadow<>(backend, allocated, entries.build());
    } catch (RuntimeException | Error e) {
      backend.release(allocated);
      throw e;
    }
  }

  /** Allocates several such shadows, or none. */
  public static <T> List<Shadow<T>> allLike(
      Tensors<T> originals, List<TensorSpec> wanted, int count) {
    List<Shadow<T>> shadows = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        shadows.add(like(originals, wanted));
      }
      return shadows;
    } catch (RuntimeException | Error e) {
      shadows.forEach(Shadow::release);
      throw e;
    }
  }

  /** Returns a copy, with the types and on the devices that are wanted. */
  public Shadow<T> copy(List<TensorSpec> wanted) {
    return copyOf(tensors("average"), wanted);
  }

  /** Returns a copy of tensors, with the types and on the devices that are wanted. */
  public static <T> Shadow<T> copyOf(Tensors<T> originals, List<TensorSpec> wanted) {
    Shadow<T> copy = like(originals, wanted);
    try {
      TensorPairs.copying(copy.tensors("copy"), originals).copy();
      return copy;
    } catch (RuntimeException | Error e) {
      copy.release();
      throw e;
    }
  }

  /** Returns the tensors for others to have: from now on they are looked at before each use. */
  public ImmutableList<Entry<T>> share() {
    shared = true;
    return entries;
  }

  /** Returns the tensors, in the order of the originals. */
  public ImmutableList<Entry<T>> entries() {
    return entries;
  }

  /**
   * Tells whether tensors of these types, on these devices and tied like these, can be kept here.
   */
  public boolean isLike(Tensors<T> others) {
    return Arrays.equals(tensors("shadow").ties(), others.ties())
        && IntStream.range(0, entries.size())
            .allMatch(i -> isLike(entries.get(i).spec(), others.entries().get(i).spec()));
  }

  private static boolean isLike(TensorSpec spec, TensorSpec other) {
    return spec.type() == other.type()
        && spec.shape().equals(other.shape())
        && spec.device().equals(other.device());
  }

  /** Returns what the tensors look like. */
  public List<TensorSpec> specs() {
    return entries.stream().map(Entry::spec).toList();
  }

  /** Returns the tensors as one side of a plan. */
  public Tensors<T> tensors(String owner) {
    return new Tensors<>(owner, backend, entries, () -> shared);
  }

  /** Frees the tensors. */
  public void release() {
    backend.release(allocated);
  }
}
