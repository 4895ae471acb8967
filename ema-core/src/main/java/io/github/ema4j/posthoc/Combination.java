package io.github.ema4j.posthoc;

import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.posthoc.SnapshotLayout.Place;
import io.github.ema4j.spi.HostMemory;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A weighted sum of snapshots, tensor by tensor.
 *
 * @param layout what the snapshots have in common
 * @param terms what is summed
 * @param copied where entries come from that are not combined
 */
record Combination(SnapshotLayout layout, List<Term> terms, Snapshot copied) {
  private static final ArrayBackend ARRAYS = ArrayBackend.instance();
  private static final int BLOCK = 1024;

  /** A snapshot and its weight in the sum, which is not 0: an infinity times 0 would be NaN. */
  record Term(double weight, Snapshot snapshot) {}

  /** Returns all tensors, tied ones once, in the order of {@link SnapshotLayout#specs}. */
  List<ArrayTensor> tensors() {
    return distinct().stream().map(this::tensor).toList();
  }

  /** Returns the same, each made when it is read. */
  List<OnDemandTensor> tensorsOnDemand() {
    return distinct().stream()
        .map(index -> new OnDemandTensor(layout.places().get(index).spec(), () -> tensor(index)))
        .toList();
  }

  private List<Integer> distinct() {
    List<Integer> indices = new ArrayList<>();
    for (int i = 0; i < layout.places().size(); i++) {
      if (layout.places().get(i).first() == i) {
        indices.add(i);
      }
    }
    return indices;
  }

  private ArrayTensor tensor(int index) {
    Place place = layout.places().get(index);
    ArrayTensor result = ARRAYS.allocate(List.of(place.spec())).get(0);
    if (place.combined()) {
      combine(index, (float[]) result.array());
    } else {
      copy(place, index, result, copied.state());
    }
    return result;
  }

  private static <T> void copy(Place place, int index, ArrayTensor to, StateDict<T> from) {
    Entry<ArrayTensor> entry = new Entry<>(place.name(), to, place.spec(), place.role());
    TensorPairs.copying(
            new Tensors<>("result", ARRAYS, List.of(entry)),
            new Tensors<>("snapshot", from.backend(), List.of(from.entries().get(index))))
        .copy();
  }

  /** Sums one tensor over the snapshots by blocks, so that little of it is in double at a time. */
  private void combine(int index, float[] result) {
    List<HostMemory> sources = terms.stream().map(term -> term.snapshot.memory(index)).toList();
    double[] sums = new double[BLOCK];
    float[] block = new float[BLOCK];
    for (int start = 0, n; start < result.length; start += n) {
      n = Math.min(BLOCK, result.length - start);
      for (int s = 0; s < sources.size(); s++) {
        n = read(sources.get(s), start, block, n);
        add(terms.get(s).weight, block, sums, n, s == 0);
      }
      for (int i = 0; i < n; i++) {
        result[start + i] = (float) sums[i];
      }
    }
  }

  /** Reads up to n elements, fewer at the end of a buffer, which is at a block's end. */
  private static int read(HostMemory memory, int start, float[] block, int n) {
    int length = (int) Math.min(n, memory.remainingAt(start));
    ((FloatBuffer) memory.segmentAt(start)).get(memory.indexAt(start), block, 0, length);
    return length;
  }

  private static void add(double weight, float[] block, double[] sums, int n, boolean first) {
    for (int i = 0; i < n; i++) {
      double term = weight * block[i];
      sums[i] = first ? term : sums[i] + term; // not 0 + term: zero keeps its sign
    }
  }
}
