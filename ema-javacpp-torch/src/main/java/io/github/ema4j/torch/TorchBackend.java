package io.github.ema4j.torch;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableBiMap;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.Layout;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The backend over LibTorch's strided tensors, in host memory and on other devices.
 *
 * <p>Float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8 and bool are supported,
 * with any strides. Refused with a message are other types (complex and quantized ones among them),
 * sparse and other layouts, tensors on the meta device, and views that stand for negated values.
 *
 * <p>Host memory is LibTorch's own, opened in place. Tensors elsewhere are averaged by {@code
 * _foreach_lerp_} and its kin on the current stream of the calling thread; copies between them and
 * host memory wait for the device, nothing else does but the look for values that are not finite.
 *
 * <p>What {@link #allocate} returns belongs to its caller alone: a {@code PointerScope} that is
 * open around the call does not free it. Thread-safe for different tensors.
 */
public final class TorchBackend implements DeviceBackend<Tensor> {
  private static final long SEGMENT_BYTES = 1L << 30;
  private static final TorchBackend INSTANCE = new TorchBackend(SEGMENT_BYTES);

  /** The object that stands for the addresses of a device. */
  private static final ConcurrentMap<Device, Device> ADDRESS_SPACES = new ConcurrentHashMap<>();

  private static final ImmutableBiMap<ScalarType, ElementType> TYPES =
      ImmutableBiMap.<ScalarType, ElementType>builder()
          .put(ScalarType.Double, ElementType.F64)
          .put(ScalarType.Float, ElementType.F32)
          .put(ScalarType.Half, ElementType.F16)
          .put(ScalarType.BFloat16, ElementType.BF16)
          .put(ScalarType.Long, ElementType.I64)
          .put(ScalarType.Int, ElementType.I32)
          .put(ScalarType.Short, ElementType.I16)
          .put(ScalarType.Char, ElementType.I8)
          .put(ScalarType.Byte, ElementType.U8)
          .put(ScalarType.Bool, ElementType.BOOL)
          .buildOrThrow();

  private final long segmentBytes;

  /** Makes a backend that opens tensors in segments of at most this size. */
  TorchBackend(long segmentBytes) {
    this.segmentBytes = segmentBytes;
  }

  /** Returns the backend. */
  public static TorchBackend instance() {
    return INSTANCE;
  }

  @Override
  public String name() {
    return "torch";
  }

  @Override
  public Class<Tensor> tensorType() {
    return Tensor.class;
  }

  @Override
  public TensorSpec describe(Tensor tensor) {
    requireOpen(tensor);
    ElementType type = elementType(tensor.scalar_type().intern());
    Device device = device(tensor);
    requireStrided(tensor);
    int dimensions = Math.toIntExact(tensor.dim());
    long[] shape = new long[dimensions];
    long[] strides = new long[dimensions];
    for (int i = 0; i < dimensions; i++) {
      shape[i] = tensor.size(i);
      strides[i] = tensor.stride(i);
    }
    return new TensorSpec(
        type, ImmutableLongArray.copyOf(shape), ImmutableLongArray.copyOf(strides), device);
  }

  @Override
  public Storage storage(Tensor tensor) {
    TensorSpec spec = describe(tensor);
    long bytes = spec.extent() * spec.type().bytes();
    Device space = ADDRESS_SPACES.computeIfAbsent(spec.device(), device -> device);
    return new Storage(space, bytes == 0 ? 0 : address(tensor), bytes);
  }

  /**
   * {@inheritDoc}
   *
   * <p>It reaches to the end of what the tensor is a view of.
   */
  @Override
  public HostMemory memory(Tensor tensor) {
    requireOpen(tensor);
    ElementType type = elementType(tensor.scalar_type().intern());
    if (tensor.numel() == 0) {
      return HostMemory.of(typed(ByteBuffer.allocate(0), type));
    }
    long bytes = tensor.storage().nbytes() - tensor.storage_offset() * type.bytes();
    BytePointer begin = new BytePointer(tensor.data_ptr());
    List<Buffer> segments = new ArrayList<>();
    for (long from = 0; from < bytes; from += segmentBytes) {
      BytePointer segment = begin.getPointer(from); // a position above 2 GiB would be cut off
      segment.capacity(Math.min(segmentBytes, bytes - from));
      segments.add(typed(segment.asByteBuffer(), type));
    }
    return HostMemory.at(begin.address(), segments.toArray(Buffer[]::new));
  }

  @Override
  public HostMemory memory(Tensor tensor, HostMemory before) {
    if (tensor.isNull()) {
      return memory(tensor);
    }
    long elements = tensor.numel(); // 0 of an undefined tensor, which has no pointer to data
    boolean unmoved = elements > 0 && before.isAt(addressOrNull(tensor), elements);
    return unmoved ? before : memory(tensor);
  }

  /** Tells whether {@link #describe} would say the same of a tensor as it did. */
  static boolean looksLike(Tensor tensor, TensorSpec spec) {
    if (tensor.isNull()) {
      return false;
    }
    if (!spec.device().isCpu()) {
      return INSTANCE.describe(tensor).equals(spec);
    }
    return tensor.is_cpu() // an undefined one is nowhere
        && hasType(tensor, spec.type())
        && hasLayout(tensor, spec);
  }

  /** Tells whether a tensor has a type, by what LibTorch tells fastest. */
  private static boolean hasType(Tensor tensor, ElementType type) {
    if (type == ElementType.F32 || type == ElementType.F64) {
      return tensor.is_floating_point() && tensor.itemsize() == type.bytes();
    }
    return elementType(tensor.scalar_type().intern()) == type;
  }

  private static boolean hasLayout(Tensor tensor, TensorSpec spec) {
    int dimensions = spec.shape().length();
    if (tensor.dim() != dimensions) {
      return false;
    }
    for (int i = 0; i < dimensions; i++) {
      if (tensor.size(i) != spec.shape().get(i) || tensor.stride(i) != spec.strides().get(i)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public List<Tensor> allocate(List<TensorSpec> specs) {
    List<Tensor> tensors = new ArrayList<>();
    try {
      Guards.withoutGradient(
          () -> specs.forEach(spec -> tensors.add(Guards.kept(allocated(spec)))));
      return List.copyOf(tensors);
    } catch (RuntimeException | Error e) {
      release(tensors);
      throw e;
    }
  }

  private static Tensor allocated(TensorSpec spec) {
    ScalarType type = TYPES.inverse().get(spec.type());
    Device device = spec.device();
    try {
      if (device.type().equals("meta")) {
        throw new IllegalArgumentException("the meta device has no memory");
      }
      return torch.empty_strided(
          spec.shape().toArray(),
          spec.strides().toArray(),
          new TensorOptions(type)
              .device(new DeviceOptional(new org.bytedeco.pytorch.Device(device.toString()))));
    } catch (RuntimeException e) {
      if (device.isCpu()) {
        throw e;
      }
      throw new UnsupportedOperationException(
          String.format(
              "LibTorch cannot keep an average on %s (%s); leave the device out or name another,"
                  + " and for CUDA add org.bytedeco:pytorch with the classifier of your platform"
                  + " and -gpu, and org.bytedeco:cuda",
              device, Guards.firstLine(e)),
          e);
    }
  }

  @Override
  public void release(List<Tensor> tensors) {
    tensors.forEach(Guards::release);
  }

  /**
   * {@inheritDoc}
   *
   * <p>Tensors that the work makes are freed after it, but for those that it retains with {@code
   * retainReference()}.
   */
  @Override
  public void withoutGradient(Runnable work) {
    Guards.withoutGradient(work);
  }

  @Override
  public void lerp(List<Tensor> averages, List<Tensor> models, double weight) {
    if (!averages.isEmpty()) {
      Guards.withoutGradient(() -> ForeachOperations.lerp(averages, models, weight));
    }
  }

  @Override
  public void weightedSum(
      List<Tensor> averages, List<Tensor> models, double averageFactor, double modelFactor) {
    if (averages.isEmpty()) {
      return;
    }
    Guards.withoutGradient(
        () -> {
          if (averages.get(0).is_floating_point()) {
            ForeachOperations.weightedSum(averages, models, averageFactor, modelFactor);
          } else {
            ForeachOperations.truncatedSum(averages, models, averageFactor, modelFactor);
          }
        });
  }

  @Override
  public void copy(List<Tensor> to, List<Tensor> from) {
    if (!to.isEmpty()) {
      Guards.withoutGradient(() -> ForeachOperations.copy(to, from));
    }
  }

  @Override
  public boolean isFinite(Tensor tensor) {
    boolean[] finite = new boolean[1];
    Guards.withoutGradient(() -> finite[0] = tensor.isfinite().all().item_bool());
    return finite[0];
  }

  /**
   * Returns where the first element is.
   *
   * @throws UnsupportedOperationException if a tensor that is not empty has no memory
   */
  static long address(Tensor tensor) {
    long address = addressOrNull(tensor);
    if (address == 0 && tensor.numel() > 0) {
      throw new UnsupportedOperationException(
          "the Tensor has elements but no memory, so it cannot be averaged; clone it");
    }
    return address;
  }

  private static long addressOrNull(Tensor tensor) {
    @Nullable Pointer pointer = tensor.data_ptr();
    return pointer == null ? 0 : pointer.address();
  }

  private static void requireOpen(Tensor tensor) {
    checkState(
        !tensor.isNull(),
        "the Tensor is closed; keep it open while it is averaged, and outside of a PointerScope"
            + " that ends before");
    checkState(tensor.defined(), "the Tensor is undefined: it has neither type nor memory");
  }

  private static ElementType elementType(ScalarType type) {
    ElementType element = TYPES.get(type);
    if (element == null) {
      throw new UnsupportedOperationException(
          String.format(
              "a Tensor of type %s cannot be averaged; these types can: %s", type, TYPES.keySet()));
    }
    return element;
  }

  private static Device device(Tensor tensor) {
    if (tensor.is_cpu()) {
      return Device.CPU;
    }
    if (tensor.is_meta()) {
      throw new UnsupportedOperationException(
          "a Tensor on the meta device has no elements to average; make it on a device");
    }
    try (BytePointer text = tensor.device().str()) {
      return Device.parse(text.getString());
    }
  }

  private static void requireStrided(Tensor tensor) {
    Layout layout = tensor.layout().intern();
    if (layout != Layout.Strided) {
      throw new UnsupportedOperationException(
          "a Tensor of layout " + layout + " cannot be averaged; make it dense with to_dense()");
    }
    if (tensor.is_neg()) {
      throw new UnsupportedOperationException(
          "the Tensor is a view that stands for the negated values of another;"
              + " write them out with resolve_neg()");
    }
  }

  private static Buffer typed(ByteBuffer bytes, ElementType type) {
    ByteBuffer ordered = bytes.order(ByteOrder.nativeOrder());
    return switch (type) {
      case F64 -> ordered.asDoubleBuffer();
      case F32 -> ordered.asFloatBuffer();
      case I64 -> ordered.asLongBuffer();
      case I32 -> ordered.asIntBuffer();
      case F16, BF16, I16 -> ordered.asShortBuffer();
      case I8, U8, BOOL -> ordered;
    };
  }
}
