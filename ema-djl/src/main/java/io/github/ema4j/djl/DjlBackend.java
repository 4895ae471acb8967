package io.github.ema4j.djl;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.NativeResource;
import com.google.common.collect.ImmutableBiMap;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.MapMaker;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentMap;

/**
 * The backend over DJL's NDArrays of the default engine, row-major, on the CPU and on GPUs (device
 * {@code gpu(1)} of DJL is {@code cuda:1} here).
 *
 * <p>Float64, float32, float16, int64, int32, int8, uint8 and boolean are supported. Refused with a
 * message, before anything native runs, are bfloat16 (of which LibTorch under DJL aborts the
 * process), complex numbers and strings; refused as well are sparse arrays, arrays on other
 * devices, and views on the CPU that are not contiguous, of which DJL gives only a copy out.
 *
 * <p>Memory on the CPU is the engine's own, opened in place. On GPUs DJL's operations do the work,
 * of which it has none that is fused: an update of a tensor is three of them and one temporary of
 * its size; where there is no memory for that, the update fails with some tensors averaged and
 * others not. DJL does not tell addresses there, so that arrays are tied where they are one
 * NDArray.
 *
 * <p>What {@link #allocate} returns lies in an NDManager that belongs to this backend: closing a
 * model, its manager or an {@link NDScope} does not touch it. Thread-safe for different arrays.
 */
public final class DjlBackend implements DeviceBackend<NDArray> {
  private static final long SEGMENT_BYTES = 1L << 30;
  private static final String CUDA = "cuda";
  private static final DjlBackend INSTANCE = new DjlBackend(SEGMENT_BYTES);

  /** Stands for the process' memory. */
  private static final Object ADDRESS_SPACE = new Object();

  private static final ImmutableBiMap<DataType, ElementType> TYPES =
      ImmutableBiMap.<DataType, ElementType>builder()
          .put(DataType.FLOAT64, ElementType.F64)
          .put(DataType.FLOAT32, ElementType.F32)
          .put(DataType.FLOAT16, ElementType.F16)
          .put(DataType.INT64, ElementType.I64)
          .put(DataType.INT32, ElementType.I32)
          .put(DataType.INT8, ElementType.I8)
          .put(DataType.UINT8, ElementType.U8)
          .put(DataType.BOOLEAN, ElementType.BOOL)
          .build();

  private final long segmentBytes;
  private final DeviceArithmetic arithmetic = new DeviceArithmetic(this);

  /**
   * The arrays that were found contiguous, each with its native tensor of then: {@link
   * NDArray#intern} puts another behind the same array.
   */
  private final ConcurrentMap<NDArray, Object> contiguous = new MapMaker().weakKeys().makeMap();

  /** What all averages own, for as long as the process lives; loads the engine when first asked. */
  private static final class Owned {
    static final NDManager MANAGER = Engine.getInstance().newBaseManager(ai.djl.Device.cpu());

    static {
      MANAGER.setName("ema4j");
    }
  }

  /** Makes a backend that opens arrays in segments of at most this size. */
  DjlBackend(long segmentBytes) {
    this.segmentBytes = segmentBytes;
  }

  /** Returns the backend. */
  public static DjlBackend instance() {
    return INSTANCE;
  }

  /** Returns the manager above all that averages own. */
  static NDManager manager() {
    return Owned.MANAGER;
  }

  @Override
  public String name() {
    return "djl";
  }

  @Override
  public Class<NDArray> tensorType() {
    return NDArray.class;
  }

  @Override
  public TensorSpec describe(NDArray array) {
    requireOpen(array);
    ElementType type = elementType(array.getDataType());
    requireDefaultEngine(array);
    Device device = device(array.getDevice());
    if (array.isSparse()) {
      throw new UnsupportedOperationException(
          "a sparse NDArray ("
              + array.getSparseFormat()
              + ") cannot be averaged; make it dense with toDense()");
    }
    if (device.isCpu()) {
      open(array);
    }
    return TensorSpec.contiguous(type, array.getShape().getShape()).withDevice(device);
  }

  /** Describes a live array, and names it where it is refused. */
  TensorSpec describe(String kind, String name, NDArray array) {
    try {
      return describe(array);
    } catch (UnsupportedOperationException e) {
      throw new UnsupportedOperationException(kind + " '" + name + "': " + e.getMessage(), e);
    }
  }

  @Override
  public Storage storage(NDArray array) {
    requireOpen(array);
    long bytes = bytes(array);
    if (!isOnHost(array)) {
      return new Storage(array, 0, bytes);
    }
    return new Storage(ADDRESS_SPACE, bytes == 0 ? 0 : address(open(array).get(0)), bytes);
  }

  @Override
  public HostMemory memory(NDArray array) {
    requireOpen(array);
    ElementType type = elementType(array.getDataType());
    List<ByteBuffer> segments = open(array);
    long address = array.size() == 0 ? 0 : address(segments.get(0));
    return HostMemory.at(
        address, segments.stream().map(bytes -> typed(bytes, type)).toArray(Buffer[]::new));
  }

  @Override
  public HostMemory memory(NDArray array, HostMemory before) {
    requireOpen(array);
    boolean opensAtOnce = isKnownToBeContiguous(array) && bytes(array) <= segmentBytes;
    return opensAtOnce && before.isAt(address(array.toByteBuffer(true)), array.size())
        ? before
        : memory(array);
  }

  /**
   * {@inheritDoc}
   *
   * <p>Arrays are row-major whatever strides are asked for, and zero.
   */
  @Override
  public List<NDArray> allocate(List<TensorSpec> specs) {
    specs.forEach(spec -> requireAllocatable(spec.type(), spec.device()));
    Map<Device, NDManager> managers = new HashMap<>();
    try {
      ImmutableList.Builder<NDArray> arrays = ImmutableList.builder();
      for (TensorSpec spec : specs) {
        NDManager manager =
            managers.computeIfAbsent(
                spec.device(), device -> Owned.MANAGER.newSubManager(djlDevice(device)));
        arrays.add(manager.zeros(new Shape(spec.shape().toArray()), dataType(spec.type())));
      }
      return keep(arrays.build());
    } catch (RuntimeException | Error e) {
      managers.values().forEach(NDManager::close);
      throw e;
    }
  }

  @Override
  public void release(List<NDArray> arrays) {
    for (NDArray array : arrays) {
      NDManager manager = array.getManager();
      array.close();
      if (manager.getParentManager() == Owned.MANAGER) {
        manager.close();
      }
    }
  }

  /**
   * {@inheritDoc}
   *
   * <p>Of the default engine, the one for which DJL leaves recording on is PyTorch's: it is turned
   * off on the calling thread alone. NDArrays that the work makes there are freed after it, but for
   * those it takes out with {@link NDScope#unregister(NDArray)}.
   *
   * @throws UnsupportedOperationException if this version of the PyTorch engine has no such switch
   */
  @Override
  public void withoutGradient(Runnable work) {
    try (NDScope temporaries = new NDScope()) {
      temporaries.suppressNotUsedWarning();
      GradientMode.runOff(Engine.getInstance(), work);
    }
  }

  /**
   * {@inheritDoc}
   *
   * <p>Half precision is computed in float32 and rounded once.
   */
  @Override
  public void lerp(List<NDArray> averages, List<NDArray> models, double weight) {
    arithmetic.lerp(averages, models, weight);
  }

  /**
   * {@inheritDoc}
   *
   * <p>Half precision and integers are computed in float32, as timm does, and rounded once.
   */
  @Override
  public void weightedSum(
      List<NDArray> averages, List<NDArray> models, double averageFactor, double modelFactor) {
    arithmetic.weightedSum(averages, models, averageFactor, modelFactor);
  }

  @Override
  public void copy(List<NDArray> to, List<NDArray> from) {
    arithmetic.copy(to, from);
  }

  @Override
  public boolean isFinite(NDArray array) {
    return arithmetic.isFinite(array);
  }

  /** Takes arrays out of the scope that the user may have open around an average. */
  static <C extends Iterable<NDArray>> C keep(C arrays) {
    arrays.forEach(NDScope::unregister);
    return arrays;
  }

  private static void requireOpen(NDArray array) {
    checkState(
        !array.isReleased(),
        "the NDArray is closed; keep the model and its NDManager open while it is averaged");
  }

  private static void requireDefaultEngine(NDArray array) {
    Engine engine = array.getManager().getEngine();
    if (engine != Engine.getInstance()) {
      throw new UnsupportedOperationException(
          String.format(
              "the NDArray belongs to engine %s, but averages are kept in DJL's default engine %s;"
                  + " start with -Dai.djl.default_engine=%s",
              engine.getEngineName(), Engine.getDefaultEngineName(), engine.getEngineName()));
    }
  }

  private static void requireAllocatable(ElementType type, Device device) {
    dataType(type);
    int gpus = device.type().equals(CUDA) ? Engine.getInstance().getGpuCount() : 0;
    if (!device.isCpu() && device.index() >= gpus) {
      throw new UnsupportedOperationException(
          String.format(
              "an average of NDArrays was wanted on %s, but DJL's engine %s has the cpu and %s of"
                  + " type cuda here; choose one that it has, or leave the device out",
              device, Engine.getDefaultEngineName(), gpus));
    }
  }

  private static boolean isOnHost(NDArray array) {
    return array.getDevice().equals(ai.djl.Device.cpu());
  }

  private static Device device(ai.djl.Device device) {
    if (device.equals(ai.djl.Device.cpu())) {
      return Device.CPU;
    } else if (device.getDeviceType().equals(ai.djl.Device.Type.GPU)) {
      return new Device(CUDA, device.getDeviceId());
    }
    throw new UnsupportedOperationException(
        "NDArrays are averaged on the cpu and on gpus, but this one is on "
            + device
            + "; train on Device.cpu() or Device.gpu()");
  }

  private static ai.djl.Device djlDevice(Device device) {
    return device.isCpu() ? ai.djl.Device.cpu() : ai.djl.Device.gpu(device.index());
  }

  private static ElementType elementType(DataType type) {
    ElementType element = TYPES.get(type);
    if (element == null) {
      throw new UnsupportedOperationException(
          String.format(
              "NDArrays of type %s cannot be averaged%s",
              type,
              type == DataType.BFLOAT16 || type == DataType.UNKNOWN
                  ? " (a bfloat16 tensor shows as unknown, and DJL's PyTorch engine aborts the"
                      + " process on bfloat16); keep the weights in float32 or float16"
                  : "; these can: " + TYPES.keySet()));
    }
    return element;
  }

  private static DataType dataType(ElementType element) {
    DataType type = TYPES.inverse().get(element);
    if (type == null) {
      throw new UnsupportedOperationException(
          String.format(
              "DJL's PyTorch engine has no NDArrays of type %s; choose one of %s",
              element, TYPES.values()));
    }
    return type;
  }

  /**
   * Opens an array in consecutive segments, the first of which has an address if it is not empty.
   */
  private List<ByteBuffer> open(NDArray array) {
    long bytes = bytes(array);
    if (bytes == 0) {
      return List.of(ByteBuffer.allocateDirect(0));
    }
    boolean known = isKnownToBeContiguous(array);
    if (known && bytes <= segmentBytes) {
      return List.of(array.toByteBuffer(true)); // makes no temporary array
    }
    try (NDScope temporaries = new NDScope()) {
      temporaries.suppressNotUsedWarning();
      List<ByteBuffer> segments = segments(array);
      if (!known) {
        requireInPlace(array, segments.get(0), segments(array).get(0));
      }
      return segments;
    }
  }

  private boolean isKnownToBeContiguous(NDArray array) {
    return array instanceof NativeResource<?> resource
        && resource.getHandle().equals(contiguous.get(array));
  }

  /**
   * Checks that an array was opened itself: DJL copies what is not contiguous, and two copies that
   * are both alive differ in address.
   */
  private void requireInPlace(NDArray array, ByteBuffer once, ByteBuffer again) {
    if (address(once) != address(again)) {
      throw new UnsupportedOperationException(
          "the NDArray of shape "
              + array.getShape()
              + " is a view that is not contiguous, and DJL opens only a copy of it; average the"
              + " array that it is a view of, or its duplicate()");
    }
    if (array instanceof NativeResource<?> resource) {
      contiguous.put(array, resource.getHandle());
    }
  }

  private List<ByteBuffer> segments(NDArray array) {
    if (bytes(array) <= segmentBytes) {
      return List.of(array.toByteBuffer(true));
    }
    NDArray flat = array.reshape(-1);
    long elements = flat.size();
    long step = segmentBytes / flat.getDataType().getNumOfBytes();
    List<ByteBuffer> segments = new ArrayList<>();
    for (long from = 0; from < elements; from += step) {
      NDIndex slice = new NDIndex().addSliceDim(from, Math.min(from + step, elements));
      segments.add(flat.get(slice).toByteBuffer(true));
    }
    return segments;
  }

  private static long bytes(NDArray array) {
    return array.size() * array.getDataType().getNumOfBytes();
  }

  private static long address(ByteBuffer buffer) {
    if (!buffer.isDirect()) {
      throw new UnsupportedOperationException(
          "the NDArray opens as a copy on the Java heap, so that an update would be lost");
    }
    return Pointer.nativeValue(Native.getDirectBufferPointer(buffer));
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
