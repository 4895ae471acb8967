package io.github.ema4j.internal;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;

/** Arrays, until something is overridden. */
public class ForwardingBackend implements TensorBackend<ArrayTensor> {

  @Override
  public String name() {
    return "forwarding";
  }

  @Override
  public Class<ArrayTensor> tensorType() {
    return ArrayTensor.class;
  }

  @Override
  public TensorSpec describe(ArrayTensor tensor) {
    return ArrayBackend.instance().describe(tensor);
  }

  @Override
  public Storage storage(ArrayTensor tensor) {
    return ArrayBackend.instance().storage(tensor);
  }

  @Override
  public HostMemory memory(ArrayTensor tensor) {
    return ArrayBackend.instance().memory(tensor);
  }

  @Override
  public List<ArrayTensor> allocate(List<TensorSpec> specs) {
    return ArrayBackend.instance().allocate(specs);
  }

  @Override
  public void release(List<ArrayTensor> tensors) {
    ArrayBackend.instance().release(tensors);
  }
}
