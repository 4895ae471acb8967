package io.github.ema4j.posthoc;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.function.Supplier;

/**
 * A tensor that is made whenever it is opened and is garbage after: of those that are written to a
 * file one after another, no more than one is in memory.
 *
 * @param spec what is made
 * @param making makes it
 */
record OnDemandTensor(TensorSpec spec, Supplier<ArrayTensor> making) {

  /** The backend of such tensors, which are only read. */
  static final TensorBackend<OnDemandTensor> BACKEND = new Backend();

  private static final class Backend implements TensorBackend<OnDemandTensor> {
    @Override
    public String name() {
      return "on-demand";
    }

    @Override
    public Class<OnDemandTensor> tensorType() {
      return OnDemandTensor.class;
    }

    @Override
    public TensorSpec describe(OnDemandTensor tensor) {
      return tensor.spec;
    }

    @Override
    public Storage storage(OnDemandTensor tensor) {
      return new Storage(tensor, 0, tensor.spec.elements() * tensor.spec.type().bytes());
    }

    @Override
    public HostMemory memory(OnDemandTensor tensor) {
      return ArrayBackend.instance().memory(tensor.making.get());
    }

    @Override
    public List<OnDemandTensor> allocate(List<TensorSpec> specs) {
      throw new UnsupportedOperationException("such tensors are only read");
    }

    @Override
    public void release(List<OnDemandTensor> tensors) {
      // They hold nothing.
    }
  }
}
