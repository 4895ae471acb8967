package io.github.ema4j.testkit.toy;

import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.Buffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** The tensors of the toy framework: on the host, and on a device that is called cuda:0. */
public class ToyBackend implements DeviceBackend<ToyTensor> {
  /** The device beside the host. */
  public static final Device FAR = new Device("cuda", 0);

  private static final ArrayBackend ARRAYS = ArrayBackend.instance();
  private static final long ARRAY_LIMIT = 1L << 28;

  private long liveBytes;

  /** Returns how many bytes are allocated and not released. */
  public long liveBytes() {
    return liveBytes;
  }

  /** Takes note of memory that came or went. */
  protected final void count(long bytes) {
    liveBytes += bytes;
  }

  @Override
  public String name() {
    return "toy";
  }

  @Override
  public Class<ToyTensor> tensorType() {
    return ToyTensor.class;
  }

  @Override
  public TensorSpec describe(ToyTensor tensor) {
    return tensor.spec();
  }

  @Override
  public Storage storage(ToyTensor tensor) {
    return tensor.memory() != null
        ? new Storage(tensor, 0, tensor.spec().extent() * tensor.spec().type().bytes())
        : ARRAYS.storage(tensor.array());
  }

  @Override
  public HostMemory memory(ToyTensor tensor) {
    HostMemory memory = tensor.memory();
    return memory != null ? memory : ARRAYS.memory(tensor.array());
  }

  @Override
  public List<ToyTensor> allocate(List<TensorSpec> specs) {
    List<ToyTensor> tensors = new ArrayList<>();
    for (TensorSpec spec : specs) {
      tensors.add(allocate(spec));
    }
    tensors.forEach(tensor -> count(bytes(tensor)));
    return tensors;
  }

  /** Allocates a tensor that is not counted yet. */
  protected ToyTensor allocate(TensorSpec spec) {
    if (!spec.device().isCpu() && !spec.device().equals(FAR)) {
      throw new UnsupportedOperationException("toys know no " + spec.device());
    }
    return spec.elements() > ARRAY_LIMIT
        ? ToyTensor.of(mapped(spec.elements(), ARRAY_LIMIT), spec)
        : ToyTensor.of(ARRAYS.allocate(List.of(spec.withDevice(Device.CPU))).get(0), spec.device());
  }

  @Override
  public void release(List<ToyTensor> tensors) {
    for (ToyTensor tensor : tensors) {
      count(-bytes(tensor));
      tensor.release();
    }
  }

  private static long bytes(ToyTensor tensor) {
    return tensor.spec().elements() * tensor.spec().type().bytes();
  }

  /** Returns memory that takes room on disk only where it is written. */
  protected static HostMemory mapped(long elements, long segment) {
    try {
      Path file = Files.createTempFile("toy", ".memory");
      try (FileChannel channel =
          FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        List<Buffer> buffers = new ArrayList<>();
        for (long at = 0; at < elements; at += segment) {
          long length = Math.min(segment, elements - at);
          buffers.add(
              channel
                  .map(MapMode.READ_WRITE, 4 * at, 4 * length)
                  .order(ByteOrder.nativeOrder())
                  .asFloatBuffer());
        }
        return HostMemory.ofSegments(buffers.toArray(new Buffer[0]));
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void lerp(List<ToyTensor> averages, List<ToyTensor> models, double weight) {
    combine(averages, models, (e, m) -> e + (float) weight * (m - e));
  }

  @Override
  public void weightedSum(
      List<ToyTensor> averages, List<ToyTensor> models, double averageFactor, double modelFactor) {
    combine(averages, models, (e, m) -> e * (float) averageFactor + m * (float) modelFactor);
  }

  /** A formula over one element of average and model. */
  protected interface Formula {
    /** Returns the average's new value. */
    float apply(float average, float model);
  }

  /** Applies a formula to tensors of float32. */
  protected static void combine(List<ToyTensor> averages, List<ToyTensor> models, Formula formula) {
    for (int k = 0; k < averages.size(); k++) {
      float[] average = (float[]) averages.get(k).array().array();
      float[] model = (float[]) models.get(k).array().array();
      for (int i = 0; i < average.length; i++) {
        average[i] = formula.apply(average[i], model[i]);
      }
    }
  }

  @Override
  public void copy(List<ToyTensor> to, List<ToyTensor> from) {
    for (int k = 0; k < to.size(); k++) {
      ArrayTensor source = from.get(k).array();
      System.arraycopy(
          source.array(), 0, to.get(k).array().array(), 0, (int) source.spec().elements());
    }
  }

  @Override
  public boolean isFinite(ToyTensor tensor) {
    if (tensor.spec().type() != ElementType.F32) {
      return true;
    }
    FloatBuffer values = FloatBuffer.wrap((float[]) tensor.array().array());
    while (values.hasRemaining()) {
      if (!Float.isFinite(values.get())) {
        return false;
      }
    }
    return true;
  }
}
