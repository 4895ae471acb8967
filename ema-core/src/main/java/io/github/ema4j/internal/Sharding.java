package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.collect.ImmutableList.toImmutableList;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Divides tensors among processes. */
public final class Sharding {

  private Sharding() {}

  /**
   * Returns the tensors of one shard, in their order. The largest is dealt out first, each to the
   * shard that has the fewest bytes so far (R. L. Graham, "Bounds on multiprocessing timing
   * anomalies", 1969); of several to the one with the fewest tensors, and of those to the first.
   * Tied tensors count as one.
   *
   * @param index which shard, in [0, count)
   * @throws IllegalArgumentException if there are more shards than tensors, or tensors overlap
   *     without being tied
   * @throws IllegalStateException if a tensor is closed or released
   */
  public static <T> ImmutableList<Entry<T>> shard(Tensors<T> tensors, int index, int count) {
    Checks.shard(index, count);
    int[] ties = tensors.ties();
    int[] shardOf = deal(tensors.entries(), ties, count);
    return IntStream.range(0, ties.length)
        .filter(i -> shardOf[ties[i]] == index)
        .mapToObj(tensors.entries()::get)
        .collect(toImmutableList());
  }

  /** Returns the shard of each tensor that is the first of those it is tied to. */
  private static int[] deal(List<? extends Entry<?>> entries, int[] ties, int count) {
    long[] bytes = entries.stream().mapToLong(entry -> entry.spec().bytes()).toArray();
    List<Integer> largestFirst =
        IntStream.range(0, ties.length)
            .filter(i -> ties[i] == i)
            .boxed()
            .sorted(Comparator.comparingLong((Integer i) -> -bytes[i])) // equal ones in their order
            .toList();
    checkArgument(
        count <= largestFirst.size(),
        "%s tensors, tied ones counted as one, cannot be divided into %s shards; use fewer",
        largestFirst.size(),
        count);
    int[] shardOf = new int[ties.length];
    long[] filled = new long[count];
    int[] tensors = new int[count];
    Comparator<Integer> byRoom =
        Comparator.<Integer>comparingLong(shard -> filled[shard])
            .thenComparingInt(shard -> tensors[shard]);
    for (int i : largestFirst) {
      int shard = IntStream.range(0, count).boxed().min(byRoom).orElseThrow();
      shardOf[i] = shard;
      filled[shard] += bytes[i];
      tensors[shard]++;
    }
    return shardOf;
  }
}
