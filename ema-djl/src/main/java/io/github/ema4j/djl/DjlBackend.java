package io.github.ema4j.djl;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.collect.ImmutableBiMap;
import com.google.common.collect.ImmutableList;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * The backend over DJL's NDArrays of the default engine, in host memory and row-major.
 *
 * <p>Float64, float32, float16, int64, int32, int8, uint8 and boolean are supported. Refused with a
 * message, before anything native runs, are bfloat16 (of which LibTorch under DJL aborts the
 * process), complex numbers and strings; refused as well are sparse arrays, arrays on other
 * devices, and views that are not contiguous, of which DJL gives only a copy out.
 *
 * <p>Memory is the engine's own, opened in place. What {@link #allocate} returns lies in an
 * NDManager that belongs to this backend: closing a model, its manager or an {@link NDScope} does
 * not touch it. Thread-safe for different arrays.
 */
public final class DjlBackend implements TensorBackend<NDArray> {
  private static final long SEGMENT_BYTES = 1L << 30;
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
    if (!array.getDevice().equals(ai.djl.Device.cpu())) {
      throw new UnsupportedOperationException(
          "NDArrays are averaged in host memory, but this one is on "
              + array.getDevice()
              + "; train on Device.cpu()");
    }
    if (array.isSparse()) {
      throw new UnsupportedOperationException(
          "a sparse NDArray ("
              + array.getSparseFormat()
              + ") cannot be averaged; make it dense with toDense()");
    }
    TensorSpec spec = TensorSpec.contiguous(type, array.getShape().getShape());
    open(array);
    return spec;
  }

  @Override
  public Storage storage(NDArray array) {
    requireOpen(array);
    long bytes = bytes(array);
    return new Storage(ADDRESS_SPACE, bytes == 0 ? 0 : address(open(array).get(0)), bytes);
  }

  @Override
  public HostMemory memory(NDArray array) {
    requireOpen(array);
    ElementType type = elementType(array.getDataType());
    return HostMemory.ofSegments(
        open(array).stream().map(bytes -> typed(bytes, type)).toArray(Buffer[]::new));
  }

  /**
   * {@inheritDoc}
   *
   * <p>Arrays are row-major whatever strides are asked for, and zero.
   */
  @Override
  public List<NDArray> allocate(List<TensorSpec> specs) {
    specs.forEach(DjlBackend::requireAllocatable);
    NDManager manager = Owned.MANAGER.newSubManager();
    try {
      ImmutableList.Builder<NDArray> arrays = ImmutableList.builder();
      for (TensorSpec spec : specs) {
        arrays.add(manager.zeros(new Shape(spec.shape().toArray()), dataType(spec.type())));
      }
      return keep(arrays.build());
    } catch (RuntimeException | Error e) {
      manager.close();
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

  private static void requireAllocatable(TensorSpec spec) {
    if (!spec.device().isCpu()) {
      throw new UnsupportedOperationException(
          "averages of NDArrays are kept on the cpu, but one was wanted on "
              + spec.device()
              + "; leave the device out");
    }
    dataType(spec.type());
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
    if (bytes(array) == 0) {
      return List.of(ByteBuffer.allocateDirect(0));
    }
    try (NDScope temporaries = new NDScope()) {
      temporaries.suppressNotUsedWarning();
      List<ByteBuffer> segments = segments(array);
      // DJL copies what is not contiguous; two copies that are both alive differ in address.
      if (address(segments.get(0)) != address(segments(array).get(0))) {
        throw new UnsupportedOperationException(
            "the NDArray of shape "
                + array.getShape()
                + " is a view that is not contiguous, and DJL opens only a copy of it; average the"
                + " array that it is a view of, or its duplicate()");
      }
      return segments;
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
