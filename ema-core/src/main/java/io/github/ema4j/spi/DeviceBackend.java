package io.github.ema4j.spi;

import java.util.List;

/**
 * A backend whose tensors may also lie outside host memory, where the framework's own operations
 * average them.
 *
 * <p>All work in place, without gradients, on the framework's current stream, and none but {@link
 * #isFinite} waits for the device, but for {@link #copy} from it to host memory. Lists pair by
 * position; tensors of a pair have one shape. Pairs in host memory alone never come here: core
 * averages them itself, and opens {@link #memory} of no other tensors. Results are those of the
 * framework's arithmetic, which may round otherwise than core's.
 *
 * @param <T> the framework's tensor type
 */
public interface DeviceBackend<T> extends TensorBackend<T> {

  /**
   * Moves each tensor towards another: {@code a = a + weight * (m - a)}.
   *
   * @param averages tensors of one floating-point type on one device
   * @param models tensors of the same type on the same device
   * @param weight in [0, 1]
   */
  void lerp(List<T> averages, List<T> models, double weight);

  /**
   * Adds up multiples: {@code a = a * averageFactor + m * modelFactor}; of integers, truncated
   * towards zero.
   *
   * @param averages tensors of one type on one device
   * @param models tensors of the same type on the same device
   */
  void weightedSum(List<T> averages, List<T> models, double averageFactor, double modelFactor);

  /**
   * Overwrites each tensor with another, on whatever device, of the same type or both of
   * floating-point types.
   */
  void copy(List<T> to, List<T> from);

  /**
   * Tells whether no element of a floating-point tensor is NaN or infinite. Waits for the device.
   */
  boolean isFinite(T tensor);
}
