package io.github.ema4j.testkit.toy;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.Device;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import org.jspecify.annotations.Nullable;

/** An array on a device, or memory of whatever size. */
public final class ToyTensor {
  private final @Nullable ArrayTensor array;
  private final @Nullable HostMemory memory;
  private final TensorSpec spec;
  private boolean released;

  private ToyTensor(@Nullable ArrayTensor array, @Nullable HostMemory memory, TensorSpec spec) {
    this.array = array;
    this.memory = memory;
    this.spec = spec;
  }

  static ToyTensor of(ArrayTensor array, Device device) {
    return new ToyTensor(array, null, array.spec().withDevice(device));
  }

  static ToyTensor of(HostMemory memory, TensorSpec spec) {
    return new ToyTensor(null, memory, spec);
  }

  /** Returns the array, of a tensor that has one. */
  public ArrayTensor array() {
    checkState(!released, "the toy tensor is released");
    checkState(array != null, "the toy tensor is too large for an array");
    return array;
  }

  /** Returns memory that is no array's, if it has such. */
  @Nullable HostMemory memory() {
    checkState(!released, "the toy tensor is released");
    return memory;
  }

  /** Returns what it looks like. */
  public TensorSpec spec() {
    checkState(!released, "the toy tensor is released");
    return spec;
  }

  void release() {
    released = true;
  }
}
