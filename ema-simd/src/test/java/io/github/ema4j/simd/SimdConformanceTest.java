package io.github.ema4j.simd;

import com.google.common.collect.Sets;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.Capability;
import io.github.ema4j.testkit.ConformanceKit;
import java.util.EnumSet;
import java.util.Set;

/** Arrays, averaged by the SIMD kernel: all rules, and the hashes of the portable one. */
class SimdConformanceTest extends ConformanceKit<StateDict<ArrayTensor>, ArrayTensor> {

  @Override
  public ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter() {
    return ArrayBackend.adapter();
  }

  @Override
  public Set<Capability> capabilities() {
    return Sets.difference(
        EnumSet.allOf(Capability.class),
        EnumSet.of(
            Capability.MOVING,
            Capability.COUNTED_MEMORY,
            Capability.ABOVE_2_GIB,
            Capability.OTHER_DEVICES,
            Capability.CUDA));
  }

  @Override
  public StateDict<ArrayTensor> newModel(StateDict<ArrayTensor> like) {
    return adapter().copy(like);
  }

  @Override
  public void release(StateDict<ArrayTensor> model) {
    adapter().releaseCopy(model);
  }
}
