package io.github.ema4j.testkit.toy;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.Capability;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/** The toy framework with nothing beyond what is mandatory, and clean refusals of the rest. */
public final class PlainToy {

  private PlainToy() {}

  /** Float32 and int64 on the host, row-major, of less than 2 GiB. */
  public static class Backend extends ToyBackend {
    @Override
    public TensorSpec describe(ToyTensor tensor) {
      TensorSpec spec = super.describe(tensor);
      if (!spec.equals(spec.withRowMajorStrides())) {
        throw new UnsupportedOperationException("plain toys are row-major; copy the view");
      }
      return spec;
    }

    @Override
    protected ToyTensor allocate(TensorSpec spec) {
      Set<Capability> types = EnumSet.of(Capability.F32, Capability.I64);
      if (!types.contains(Capability.of(spec.type()))) {
        throw new UnsupportedOperationException("plain toys have no " + spec.type());
      } else if (!spec.device().isCpu()) {
        throw new UnsupportedOperationException("plain toys know no " + spec.device());
      } else if (spec.elements() > Integer.MAX_VALUE) {
        throw new UnsupportedOperationException(
            "no plain toy has " + spec.elements() + " elements");
      }
      return super.allocate(spec.withRowMajorStrides());
    }
  }

  /** Refuses to copy. */
  public static class Adapter extends ToyAdapter {
    /** Binds models over a backend, which may be broken. */
    public Adapter(ToyBackend backend) {
      super(backend);
    }

    @Override
    public ToyModel copy(ToyModel model) {
      throw new UnsupportedOperationException("no copies; pass module(() -> newToy())");
    }
  }

  /** The declaration. */
  public static class Subject extends ToySubject {
    /** Declares plain toys over an adapter, which may be broken. */
    public Subject(ToyAdapter adapter) {
      super(adapter);
    }

    @Override
    public Set<Capability> capabilities() {
      return EnumSet.of(
          Capability.F32,
          Capability.I64,
          Capability.EMPTY,
          Capability.IN_PLACE,
          Capability.ZERO_COPY);
    }

    @Override
    public Optional<ToyTensor> transposed(ToyTensor tensor) {
      ArrayTensor array = tensor.array();
      long[] shape = array.spec().shape().toArray();
      ArrayTensor view =
          ArrayTensor.view(
              array.spec().type(),
              array.array(),
              array.offset(),
              new long[] {shape[1], shape[0]},
              new long[] {1, shape[1]});
      return Optional.of(ToyTensor.of(view, array.spec().device()));
    }
  }
}
