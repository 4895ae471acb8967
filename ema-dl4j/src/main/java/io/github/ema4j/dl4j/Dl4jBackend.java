package io.github.ema4j.dl4j;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableBiMap;
import com.google.common.collect.ImmutableList;
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
import java.util.Collections;
import java.util.EnumMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.executioner.OpExecutioner.ExecutionerType;
import org.nd4j.linalg.factory.Nd4j;

/**
 * The backend over ND4J's arrays, of whatever order, strides and offset.
 *
 * <p>DOUBLE, FLOAT, HALF, BFLOAT16, LONG, INT, SHORT, BYTE, UBYTE and BOOL are supported. Refused
 * with a message are unsigned integers of more than 8 bits, strings, compressed arrays, and arrays
 * that live in a workspace, as they die with it.
 *
 * <p>With {@code nd4j-native} an array's memory is the host's and is opened in place. With CUDA
 * every array is on its device, where ND4J's own operations average it: two for all arrays that are
 * neighbours in memory, as a network's parameters are. What {@link #allocate} returns are
 * neighbours too: consecutive views of one vector for each type, outside all workspaces.
 * Thread-safe for different arrays.
 */
public final class Dl4jBackend implements DeviceBackend<INDArray> {
  private static final long SEGMENT_BYTES = 1L << 30;
  private static final Dl4jBackend INSTANCE = new Dl4jBackend(SEGMENT_BYTES);

  /** Stands for the process' memory. */
  private static final Object ADDRESS_SPACE = new Object();

  private static final ImmutableBiMap<DataType, ElementType> TYPES =
      ImmutableBiMap.<DataType, ElementType>builder()
          .put(DataType.DOUBLE, ElementType.F64)
          .put(DataType.FLOAT, ElementType.F32)
          .put(DataType.FLOAT16, ElementType.F16)
          .put(DataType.BFLOAT16, ElementType.BF16)
          .put(DataType.INT64, ElementType.I64)
          .put(DataType.INT32, ElementType.I32)
          .put(DataType.INT16, ElementType.I16)
          .put(DataType.INT8, ElementType.I8)
          .put(DataType.UINT8, ElementType.U8)
          .put(DataType.BOOL, ElementType.BOOL)
          .build();

  private final long segmentBytes;

  /** A stretch of memory that someone else owns. */
  private static final class Stretch extends BytePointer {
    Stretch(long address, long bytes) {
      super((Pointer) null);
      this.address = address;
      limit = bytes;
      capacity = bytes;
    }
  }

  /** Makes a backend that opens arrays in segments of at most this size. */
  Dl4jBackend(long segmentBytes) {
    this.segmentBytes = segmentBytes;
  }

  /** Returns the backend. */
  public static Dl4jBackend instance() {
    return INSTANCE;
  }

  @Override
  public String name() {
    return "dl4j";
  }

  @Override
  public Class<INDArray> tensorType() {
    return INDArray.class;
  }

  @Override
  public TensorSpec describe(INDArray array) {
    requireOpen(array);
    if (array.isCompressed()) {
      throw new UnsupportedOperationException(
          "a compressed INDArray cannot be averaged; decompress it with"
              + " Nd4j.getCompressor().decompressi(array)");
    }
    if (array.isAttached()) {
      throw new UnsupportedOperationException(
          "the INDArray lives in a workspace and dies with it; average array.detach(), or make it"
              + " outside of workspaces");
    }
    TensorSpec rowMajor =
        TensorSpec.contiguous(elementType(array.dataType()), array.shape())
            .withDevice(device(array));
    return array.isEmpty() // ND4J gives those strides of 0
        ? rowMajor
        : new TensorSpec(
            rowMajor.type(),
            rowMajor.shape(),
            ImmutableLongArray.copyOf(array.stride()),
            rowMajor.device());
  }

  @Override
  public Storage storage(INDArray array) {
    requireOpen(array);
    return isOnCuda() ? storageInBuffer(array) : storageInProcess(array);
  }

  private Storage storageInProcess(INDArray array) {
    long bytes = bytes(array);
    return new Storage(ADDRESS_SPACE, bytes == 0 ? 0 : address(array), bytes);
  }

  /** Tells where in its buffer an array is: on a device, addresses are not to be asked for. */
  Storage storageInBuffer(INDArray array) {
    return array.isEmpty()
        ? new Storage(ADDRESS_SPACE, 0, 0)
        : new Storage(
            NativeOperations.whole(array),
            array.offset() * array.data().getElementSize(),
            bytes(array));
  }

  @Override
  public HostMemory memory(INDArray array) {
    requireOpen(array);
    ElementType type = elementType(array.dataType());
    long bytes = bytes(array);
    if (bytes == 0) {
      return HostMemory.of(typed(ByteBuffer.allocateDirect(0), type));
    }
    long address = address(array);
    long segment = segmentBytes - segmentBytes % type.bytes();
    Buffer[] segments = new Buffer[Math.toIntExact((bytes - 1) / segment + 1)];
    for (int i = 0; i < segments.length; i++) {
      long begin = i * segment;
      Stretch stretch = new Stretch(address + begin, Math.min(segment, bytes - begin));
      segments[i] = typed(stretch.asByteBuffer(), type);
    }
    return HostMemory.at(address, segments);
  }

  @Override
  public HostMemory memory(INDArray array, HostMemory before) {
    requireOpen(array);
    return !array.isEmpty() && before.isAt(address(array), extent(array)) ? before : memory(array);
  }

  @Override
  public boolean isAt(INDArray array, Storage before) {
    requireOpen(array);
    if (isOnCuda() || array.isEmpty()) {
      return storage(array).equals(before);
    }
    return before.begin() == address(array) && before.bytes() == bytes(array);
  }

  @Override
  public List<INDArray> allocate(List<TensorSpec> specs) {
    Map<ElementType, Long> lengths = new EnumMap<>(ElementType.class);
    for (TensorSpec spec : specs) {
      requireAllocatable(spec);
      lengths.merge(spec.type(), spec.elements(), Math::addExact);
    }
    Map<ElementType, INDArray> vectors = new EnumMap<>(ElementType.class);
    try {
      lengths.forEach(
          (type, length) -> {
            if (length > 0) {
              vectors.put(type, Nd4j.createUninitializedDetached(dataType(type), length));
            }
          });
      return consecutiveViews(specs, vectors);
    } catch (RuntimeException | Error e) {
      vectors.values().forEach(INDArray::close);
      throw e;
    }
  }

  private static List<INDArray> consecutiveViews(
      List<TensorSpec> specs, Map<ElementType, INDArray> vectors) {
    ImmutableList.Builder<INDArray> views = ImmutableList.builder();
    Map<ElementType, Long> used = new EnumMap<>(ElementType.class);
    for (TensorSpec spec : specs) {
      INDArray vector = vectors.get(spec.type());
      long[] shape = spec.shape().toArray();
      if (vector == null || spec.elements() == 0) {
        views.add(Nd4j.createUninitializedDetached(dataType(spec.type()), shape));
      } else {
        long offset = used.getOrDefault(spec.type(), 0L);
        long[] strides = spec.strides().toArray();
        views.add(Nd4j.create(vector.data(), shape, strides, offset, 'c'));
        used.put(spec.type(), offset + spec.elements());
      }
    }
    return views.build();
  }

  @Override
  public void release(List<INDArray> arrays) {
    Set<DataBuffer> vectors = Collections.newSetFromMap(new IdentityHashMap<>());
    for (INDArray array : arrays) {
      if (!array.isEmpty()) {
        vectors.add(NativeOperations.whole(array));
      }
    }
    for (DataBuffer vector : vectors) {
      if (vector.closeable()) {
        vector.close();
      }
    }
  }

  /**
   * {@inheritDoc}
   *
   * <p>As {@code m - (1 - weight) * (m - a)}, which needs no memory between and keeps a constant.
   */
  @Override
  public void lerp(List<INDArray> averages, List<INDArray> models, double weight) {
    NativeOperations.lerp(joined(averages, models), weight);
  }

  @Override
  public void weightedSum(
      List<INDArray> averages, List<INDArray> models, double averageFactor, double modelFactor) {
    NativeOperations.weightedSum(joined(averages, models), averageFactor, modelFactor);
  }

  @Override
  public void copy(List<INDArray> to, List<INDArray> from) {
    NativeOperations.copy(joined(to, from));
  }

  @Override
  public boolean isFinite(INDArray array) {
    return array.isEmpty() || NativeOperations.isFinite(array);
  }

  private List<NativeOperations.Pair> joined(List<INDArray> lefts, List<INDArray> rights) {
    return NeighbourRuns.of(this, lefts, rights);
  }

  private static void requireOpen(INDArray array) {
    checkState(
        !array.wasClosed(), "the INDArray is closed; keep the network open while it is averaged");
  }

  private static void requireAllocatable(TensorSpec spec) {
    dataType(spec.type());
    Device here = currentDevice();
    if (!spec.device().equals(here)) {
      throw new UnsupportedOperationException(
          String.format(
              "ND4J makes arrays of this thread on %s, but one was wanted on %s; leave the device"
                  + " out",
              here, spec.device()));
    }
  }

  private static Device device(INDArray array) {
    return isOnCuda()
        ? new Device("cuda", Nd4j.getAffinityManager().getDeviceForArray(array))
        : Device.CPU;
  }

  private static Device currentDevice() {
    return isOnCuda()
        ? new Device("cuda", Nd4j.getAffinityManager().getDeviceForCurrentThread())
        : Device.CPU;
  }

  /** Tells whether this process' ND4J keeps arrays on devices. */
  private static boolean isOnCuda() {
    return Nd4j.getExecutioner().type() == ExecutionerType.CUDA;
  }

  private static ElementType elementType(DataType type) {
    ElementType element = TYPES.get(type);
    if (element == null) {
      throw new UnsupportedOperationException(
          String.format(
              "INDArrays of type %s cannot be averaged; these can: %s", type, TYPES.keySet()));
    }
    return element;
  }

  private static DataType dataType(ElementType element) {
    DataType type = TYPES.inverse().get(element);
    if (type == null) {
      throw new AssertionError(element);
    }
    return type;
  }

  /** Returns how many bytes lie between the first and the last element's end. */
  private static long bytes(INDArray array) {
    return array.isEmpty() ? 0 : extent(array) * array.data().getElementSize();
  }

  /** Returns how many elements' room an array spans that is not empty. */
  private static long extent(INDArray array) {
    long[] shape = array.shape();
    long[] strides = array.stride();
    long extent = 1;
    for (int i = 0; i < shape.length; i++) {
      extent += (shape[i] - 1) * strides[i];
    }
    return extent;
  }

  /** Tells whether {@link #describe} would still say the same of a live array. */
  static boolean looksLike(INDArray array, TensorSpec spec) {
    return TYPES.get(array.dataType()) == spec.type()
        && isEqual(array.shape(), spec.shape())
        && (array.isEmpty() || isEqual(array.stride(), spec.strides()))
        && device(array).equals(spec.device())
        && !array.isAttached()
        && !array.isCompressed();
  }

  private static boolean isEqual(long[] values, ImmutableLongArray others) {
    boolean equal = values.length == others.length();
    for (int i = 0; i < values.length && equal; i++) {
      equal = values[i] == others.get(i);
    }
    return equal;
  }

  /** Returns where the first element is; of an array that is not empty. */
  private static long address(INDArray array) {
    DataBuffer data = array.data(); // whose addressPointer() would be an object for each look
    return data.address() + data.offset() * data.getElementSize();
  }

  private static Buffer typed(ByteBuffer bytes, ElementType type) {
    ByteBuffer ordered = bytes.order(ByteOrder.nativeOrder());
    return switch (type) {
      case F64 -> ordered.asDoubleBuffer();
      case F32 -> ordered.asFloatBuffer();
      case F16, BF16, I16 -> ordered.asShortBuffer();
      case I64 -> ordered.asLongBuffer();
      case I32 -> ordered.asIntBuffer();
      case I8, U8, BOOL -> ordered;
    };
  }
}
