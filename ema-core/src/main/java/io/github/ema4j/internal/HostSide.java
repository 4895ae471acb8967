package io.github.ema4j.internal;

import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A tensor's elements in host memory: its own, or a copy where it lies elsewhere.
 *
 * @param copy the copy, of unspecified content until it is {@linkplain #fetch fetched}
 */
record HostSide<T>(Tensors<T> owner, Entry<T> entry, @Nullable T copy) {

  static <T> HostSide<T> of(Tensors<T> owner, Entry<T> entry) {
    if (owner.isInHostMemory(entry)) {
      return new HostSide<>(owner, entry, null);
    }
    TensorSpec spec = entry.spec().withDevice(Device.CPU).withRowMajorStrides();
    return new HostSide<>(owner, entry, owner.backend().allocate(List.of(spec)).get(0));
  }

  TensorSpec spec() {
    return copy == null ? entry.spec() : owner.backend().describe(copy);
  }

  HostMemory memory() {
    return copy == null ? owner.memory(entry, null) : owner.backend().memory(copy);
  }

  void fetch() {
    if (copy != null) {
      deviceBackend().copy(List.of(copy), List.of(entry.tensor()));
    }
  }

  void writeBack() {
    if (copy != null) {
      deviceBackend().copy(List.of(entry.tensor()), List.of(copy));
    }
  }

  /** Tells whether both have one type, one shape and the same bits. */
  boolean hasSameBitsAs(HostSide<T> other) {
    ElementType type = spec().type();
    if (type != other.spec().type() || !spec().shape().equals(other.spec().shape())) {
      return false;
    }
    HostMemory own = memory();
    HostMemory others = other.memory();
    boolean[] same = {true};
    LoopNest.over(spec().shape(), spec().strides(), other.spec().strides())
        .forEachRun(
            (at, atOther, elements, stride, otherStride) -> {
              for (long i = 0; i < elements && same[0]; i++) {
                same[0] =
                    Elements.bits(own, type, at + i * stride)
                        == Elements.bits(others, type, atOther + i * otherStride);
              }
            });
    return same[0];
  }

  void release() {
    if (copy != null) {
      owner.backend().release(List.of(copy));
    }
  }

  private DeviceBackend<T> deviceBackend() {
    return (DeviceBackend<T>) owner.backend(); // or the tensor would be in host memory
  }
}
