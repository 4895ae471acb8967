package io.github.ema4j.dl4j;

import java.util.List;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.impl.reduce.longer.MatchCondition;
import org.nd4j.linalg.api.ops.impl.transforms.pairwise.arithmetic.Axpy;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.conditions.Conditions;

/**
 * Averaging by ND4J's own operations, where the arrays are. They run on the executioner's stream,
 * in place; only integers, which ND4J cannot scale by fractions, pass through doubles that are
 * freed at once.
 */
final class NativeOperations {

  /**
   * Two arrays of one shape.
   *
   * @param to what is written
   * @param from what is read
   */
  record Pair(INDArray to, INDArray from) {}

  private NativeOperations() {}

  /** Moves each array towards another by a weight in [0, 1]. */
  static void lerp(List<Pair> pairs, double weight) {
    if (weight == 1) {
      copy(pairs);
    } else if (weight > 0) {
      for (Pair pair : pairs) {
        pair.to.rsubi(pair.from);
        addMultiple(pair.to, -(1 - weight), pair.from, pair.to);
      }
    }
  }

  static void weightedSum(List<Pair> pairs, double toFactor, double fromFactor) {
    for (Pair pair : pairs) {
      if (pair.to.isR()) {
        pair.to.muli(toFactor);
        addMultiple(pair.from, fromFactor, pair.to, pair.to);
      } else {
        weightedSumOfIntegers(pair, toFactor, fromFactor);
      }
    }
  }

  private static void weightedSumOfIntegers(Pair pair, double toFactor, double fromFactor) {
    try (INDArray sum = detached(pair.to);
        INDArray addend = detached(pair.from)) {
      sum.assign(pair.to).muli(toFactor);
      addend.assign(pair.from);
      addMultiple(addend, fromFactor, sum, sum);
      pair.to.assign(sum);
    }
  }

  private static INDArray detached(INDArray like) {
    return Nd4j.createUninitializedDetached(DataType.DOUBLE, like.shape());
  }

  /** Computes {@code result = factor * x + y}. */
  private static void addMultiple(INDArray x, double factor, INDArray y, INDArray result) {
    Nd4j.getExecutioner().exec(new Axpy(x, y, result, factor));
  }

  /** Overwrites each array with another, of whatever type. */
  static void copy(List<Pair> pairs) {
    for (Pair pair : pairs) {
      pair.to.assign(pair.from);
    }
  }

  /** Tells whether no element is NaN or infinite; of an array that is not empty. */
  static boolean isFinite(INDArray array) {
    try (INDArray count =
        Nd4j.getExecutioner().exec(new MatchCondition(array, Conditions.notFinite()))) {
      return count.getLong(0) == 0;
    }
  }

  /** Returns the buffer that an array is a view of, or its own. */
  static DataBuffer whole(INDArray array) {
    DataBuffer original = array.data().originalDataBuffer();
    return original == null ? array.data() : original;
  }
}
