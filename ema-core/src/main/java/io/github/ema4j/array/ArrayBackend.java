package io.github.ema4j.array;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.List;

/** The backend over plain Java arrays. Thread-safe: it has no state. */
public final class ArrayBackend implements TensorBackend<ArrayTensor> {
  private static final ArrayBackend INSTANCE = new ArrayBackend();

  private ArrayBackend() {}

  /** Returns the backend. */
  public static ArrayBackend instance() {
    return INSTANCE;
  }

  /** Returns the adapter that averages state dicts of arrays. */
  public static ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter() {
    return StateDict.adapter(INSTANCE);
  }

  @Override
  public String name() {
    return "array";
  }

  @Override
  public Class<ArrayTensor> tensorType() {
    return ArrayTensor.class;
  }

  // tag::describe[]
  @Override
  public TensorSpec describe(ArrayTensor tensor) {
    tensor.array();
    return tensor.spec();
  }

  @Override
  public Storage storage(ArrayTensor tensor) {
    int bytes = tensor.spec().type().bytes();
    return new Storage(
        tensor.array(), (long) tensor.offset() * bytes, tensor.spec().extent() * bytes);
  }

  // end::describe[]

  // tag::memory[]
  @Override
  public HostMemory memory(ArrayTensor tensor) {
    Object array = tensor.array();
    Buffer buffer =
        switch (tensor.spec().type()) {
          case F64 -> DoubleBuffer.wrap((double[]) array);
          case F32 -> FloatBuffer.wrap((float[]) array);
          case I64 -> LongBuffer.wrap((long[]) array);
          case I32 -> IntBuffer.wrap((int[]) array);
          case F16, BF16, I16 -> ShortBuffer.wrap((short[]) array);
          case I8, U8, BOOL -> ByteBuffer.wrap((byte[]) array);
        };
    return HostMemory.of(buffer.position(tensor.offset()));
  }

  // end::memory[]

  @Override
  public HostMemory memory(ArrayTensor tensor, HostMemory before) {
    tensor.array(); // fails if the tensor was released
    return before;
  }

  @Override
  public boolean isAt(ArrayTensor tensor, Storage before) {
    return tensor.array() == before.space();
  }

  // tag::allocate[]
  @Override
  public List<ArrayTensor> allocate(List<TensorSpec> specs) {
    return specs.stream().map(ArrayBackend::allocate).collect(ImmutableList.toImmutableList());
  }

  @Override
  public void release(List<ArrayTensor> tensors) {
    tensors.forEach(ArrayTensor::release);
  }

  // end::allocate[]

  private static ArrayTensor allocate(TensorSpec spec) {
    if (!spec.device().isCpu()) {
      throw new UnsupportedOperationException(
          "Java arrays are on the cpu, but the tensor was wanted on " + spec.device());
    }
    checkArgument(
        spec.elements() <= Integer.MAX_VALUE - 8,
        "a Java array cannot hold the %s elements of shape %s",
        spec.elements(),
        spec.shape());
    return ArrayTensor.view(
        spec.type(),
        array(spec.type(), (int) spec.elements()),
        0,
        spec.shape().toArray(),
        spec.strides().toArray());
  }

  private static Object array(ElementType type, int length) {
    return switch (type) {
      case F64 -> new double[length];
      case F32 -> new float[length];
      case I64 -> new long[length];
      case I32 -> new int[length];
      case F16, BF16, I16 -> new short[length];
      case I8, U8, BOOL -> new byte[length];
    };
  }
}
