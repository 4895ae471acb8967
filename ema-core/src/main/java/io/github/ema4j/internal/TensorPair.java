package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.internal.TensorPairs.PairConsumer;
import java.util.List;

/**
 * Tensors that go together: one of each average, and the one that they are written from.
 *
 * @param lefts what is written; all look the same
 * @param right what is read
 * @param treatment what an update does
 * @param nest the loops over left and right
 * @param rightNest the loops over right alone
 * @param samples where the elements are that tell whether right has moved
 */
record TensorPair<L, R>(
    List<Entry<L>> lefts,
    Entry<R> right,
    Treatment treatment,
    LoopNest nest,
    LoopNest rightNest,
    ImmutableLongArray samples) {

  private static final long SAMPLED_PARTS = 3;

  static <L, R> TensorPair<L, R> of(List<Entry<L>> lefts, Entry<R> right, Treatment treatment) {
    TensorSpec left = lefts.get(0).spec();
    checkArgument(
        lefts.stream().allMatch(each -> each.spec().equals(left)),
        "'%s' must look the same in all averages",
        lefts.get(0).name());
    ImmutableLongArray strides = right.spec().strides();
    return new TensorPair<>(
        lefts,
        right,
        treatment,
        LoopNest.over(left.shape(), left.strides(), strides),
        LoopNest.over(left.shape(), strides, strides),
        samples(right.spec()));
  }

  /** Returns the offsets of elements at both ends of a tensor's storage and between. */
  private static ImmutableLongArray samples(TensorSpec spec) {
    long extent = spec.extent();
    if (extent == 0) {
      return ImmutableLongArray.of();
    }
    long parts = spec.isDense() ? SAMPLED_PARTS : 0; // elsewhere there may be no element
    ImmutableLongArray.Builder samples = ImmutableLongArray.builder();
    for (long part = 0; part <= parts; part++) {
      samples.add(
          parts == 0 ? 0 : (extent - 1) / parts * part + (extent - 1) % parts * part / parts);
    }
    return samples.build();
  }

  ElementType leftType() {
    return lefts.get(0).spec().type();
  }

  ElementType rightType() {
    return right.spec().type();
  }

  /** Calls a function with each of the lefts. */
  void apply(PairConsumer<L, R> function) {
    for (int k = 0; k < lefts.size(); k++) {
      function.accept(k, lefts.get(k).tensor(), right.tensor());
    }
  }
}
