package io.github.ema4j.simd;

import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.GoldenKit;

class SimdGoldenTest extends GoldenKit<StateDict<ArrayTensor>, ArrayTensor> {

  @Override
  protected ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter() {
    return ArrayBackend.adapter();
  }

  @Override
  protected StateDict<ArrayTensor> newModel(StateDict<ArrayTensor> like) {
    return adapter().copy(like);
  }

  @Override
  protected void release(StateDict<ArrayTensor> model) {
    adapter().releaseCopy(model);
  }
}
