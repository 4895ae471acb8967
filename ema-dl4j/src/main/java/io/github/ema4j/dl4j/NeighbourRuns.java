package io.github.ema4j.dl4j;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.dl4j.NativeOperations.Pair;
import java.util.List;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Two lists of arrays that pair by position. Where arrays are neighbours in memory on both sides,
 * and lie alike, one flat view on each side stands for all of them, so that one operation serves
 * them.
 */
final class NeighbourRuns {
  private final Dl4jBackend backend;
  private final List<INDArray> lefts;
  private final List<INDArray> rights;

  private NeighbourRuns(Dl4jBackend backend, List<INDArray> lefts, List<INDArray> rights) {
    this.backend = backend;
    this.lefts = lefts;
    this.rights = rights;
  }

  /** Returns the pairs, neighbours joined, without those that are empty. */
  static List<Pair> of(Dl4jBackend backend, List<INDArray> lefts, List<INDArray> rights) {
    return new NeighbourRuns(backend, lefts, rights).joined();
  }

  private List<Pair> joined() {
    ImmutableList.Builder<Pair> runs = ImmutableList.builder();
    int begin = 0;
    for (int end = 1; end <= lefts.size(); end++) {
      if (end == lefts.size() || !isContinuedBy(end)) {
        if (!lefts.get(begin).isEmpty()) {
          runs.add(run(begin, end));
        }
        begin = end;
      }
    }
    return runs.build();
  }

  private boolean isContinuedBy(int next) {
    return isFlatAlike(next - 1)
        && isFlatAlike(next)
        && areNeighbours(lefts.get(next - 1), lefts.get(next))
        && areNeighbours(rights.get(next - 1), rights.get(next));
  }

  /** Tells whether both arrays fill their memory without gaps, in the same order of elements. */
  private boolean isFlatAlike(int index) {
    INDArray left = lefts.get(index);
    if (left.isEmpty()) {
      return false;
    }
    TensorSpec spec = backend.describe(left);
    return spec.isDense() && spec.strides().equals(backend.describe(rights.get(index)).strides());
  }

  @SuppressWarnings("ReferenceEquality") // buffers are equal where their contents are
  private static boolean areNeighbours(INDArray array, INDArray next) {
    return NativeOperations.whole(array) == NativeOperations.whole(next)
        && array.offset() + array.length() == next.offset();
  }

  private Pair run(int begin, int end) {
    return end == begin + 1
        ? new Pair(lefts.get(begin), rights.get(begin))
        : new Pair(flat(lefts.subList(begin, end)), flat(rights.subList(begin, end)));
  }

  private static INDArray flat(List<INDArray> neighbours) {
    INDArray first = neighbours.get(0);
    long[] length = {neighbours.stream().mapToLong(INDArray::length).sum()};
    return Nd4j.create(NativeOperations.whole(first), length, new long[] {1}, first.offset(), 'c');
  }
}
