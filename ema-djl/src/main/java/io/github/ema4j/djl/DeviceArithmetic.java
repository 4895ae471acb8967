package io.github.ema4j.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Averages by DJL's own operations, in place on whatever device the arrays are, and without
 * recording gradients.
 *
 * <p>Temporaries are freed after each pair: those of all would be a second model.
 */
final class DeviceArithmetic {
  private final DjlBackend backend;

  /** What is computed with a pair of arrays, in place on the first. */
  private interface Operation {
    void run(NDArray average, NDArray model, NDArray[] factors);
  }

  DeviceArithmetic(DjlBackend backend) {
    this.backend = backend;
  }

  void lerp(List<NDArray> averages, List<NDArray> models, double weight) {
    compute(averages, models, (a, m, factors) -> a.addi(m.sub(a).muli(factors[0])), weight);
  }

  void weightedSum(
      List<NDArray> averages, List<NDArray> models, double averageFactor, double modelFactor) {
    compute(
        averages,
        models,
        (a, m, factors) -> a.muli(factors[0]).addi(m.mul(factors[1])),
        averageFactor,
        modelFactor);
  }

  /** Computes with arrays of one type on one device. */
  private void compute(
      List<NDArray> averages, List<NDArray> models, Operation operation, double... factors) {
    NDArray first = averages.get(0);
    DataType type = typeOfArithmetic(first.getDataType());
    try (NDManager scratch = DjlBackend.manager().newSubManager(first.getDevice())) {
      NDArray[] scalars = new NDArray[factors.length];
      backend.withoutGradient(
          () -> {
            for (int i = 0; i < scalars.length; i++) {
              scalars[i] = scalar(scratch, factors[i], type);
              NDScope.unregister(scalars[i]);
            }
          });
      forEach(
          averages,
          models,
          (average, model) -> {
            NDArray computed = average.toType(type, false);
            operation.run(computed, model.toType(type, false), scalars);
            if (type != average.getDataType()) {
              overwrite(average, computed);
            }
          });
    }
  }

  /** Returns float32 where a type is too narrow, or has no fractions. */
  private static DataType typeOfArithmetic(DataType type) {
    return type == DataType.FLOAT64 ? type : DataType.FLOAT32;
  }

  /**
   * Makes a scalar where its manager is, by filling it in there: sending one waits for a GPU. DJL
   * fills in floats alone, so that a double is put together from several, exactly.
   */
  static NDArray scalar(NDManager manager, double value, DataType type) {
    NDArray sum = manager.full(new Shape(), (float) value, type);
    if (type == DataType.FLOAT64) {
      double rest = value - (float) value;
      while ((float) rest != 0) {
        sum.addi(manager.full(new Shape(), (float) rest, type));
        rest -= (float) rest;
      }
    }
    return sum;
  }

  void copy(List<NDArray> to, List<NDArray> from) {
    forEach(to, from, DeviceArithmetic::overwrite);
  }

  private static void overwrite(NDArray to, NDArray from) {
    if (to.getShape().dimension() == 0) { // has no index
      to.reshape(1).set(new NDIndex(":"), from.reshape(1));
    } else if (to.size() > 0) {
      to.set(new NDIndex(":"), from);
    }
  }

  boolean isFinite(NDArray array) {
    boolean[] finite = {true};
    if (array.size() > 0) {
      backend.withoutGradient(
          () -> finite[0] = !array.isNaN().logicalOr(array.isInfinite()).any().getBoolean());
    }
    return finite[0];
  }

  private void forEach(
      List<NDArray> lefts, List<NDArray> rights, BiConsumer<NDArray, NDArray> work) {
    for (int i = 0; i < lefts.size(); i++) {
      NDArray left = lefts.get(i);
      NDArray right = rights.get(i);
      backend.withoutGradient(() -> work.accept(left, right));
    }
  }
}
