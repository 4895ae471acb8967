package io.github.ema4j.testkit;

import com.google.common.collect.Sets;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import java.util.EnumSet;
import java.util.Set;

// tag::kit[]
class ArrayConformanceTest extends ConformanceKit<StateDict<ArrayTensor>, ArrayTensor> {

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

// end::kit[]
