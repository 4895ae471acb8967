package io.github.ema4j.torch;

import java.util.List;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;

/**
 * LibTorch's operations over lists of tensors, one kernel for many of them. The presets have no
 * methods for them: they are called by name, through the dispatcher. The caller opens a scope for
 * the temporaries and turns gradients off.
 */
final class ForeachOperations {

  private ForeachOperations() {}

  /** {@code a = a + weight * (m - a)}. */
  static void lerp(List<Tensor> averages, List<Tensor> models, double weight) {
    call("_foreach_lerp_", "Scalar", list(averages), list(models), scalar(weight));
  }

  /** {@code a = a * averageFactor + m * modelFactor}, of floating-point tensors. */
  static void weightedSum(
      List<Tensor> averages, List<Tensor> models, double averageFactor, double modelFactor) {
    call("_foreach_mul_", "Scalar", list(averages), scalar(averageFactor));
    call("_foreach_add_", "List", list(averages), list(models), scalar(modelFactor));
  }

  /** The same of integers: computed in floating point and truncated towards zero. */
  static void truncatedSum(
      List<Tensor> averages, List<Tensor> models, double averageFactor, double modelFactor) {
    for (int i = 0; i < averages.size(); i++) {
      Tensor average = averages.get(i);
      Tensor sum = average.mul(new Scalar(averageFactor));
      average.copy_(sum.add_(models.get(i).mul(new Scalar(modelFactor))).trunc_());
    }
  }

  /** Overwrites tensors with others, of whatever type and device. */
  static void copy(List<Tensor> to, List<Tensor> from) {
    call("_foreach_copy_", "", list(to), list(from), new IValue(false));
  }

  private static void call(String name, String overload, IValue... arguments) {
    Dispatcher.singleton()
        .findSchemaOrThrow("aten::" + name, overload)
        .callBoxed(new IValueVector(arguments));
  }

  private static IValue list(List<Tensor> tensors) {
    GenericList list = new GenericList(new Type.TypePtr(TensorType.get()));
    tensors.forEach(tensor -> list.push_back(new IValue(tensor)));
    return new IValue(list);
  }

  private static IValue scalar(double value) {
    return new IValue(new Scalar(value));
  }
}
