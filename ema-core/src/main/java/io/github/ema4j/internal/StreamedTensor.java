package io.github.ema4j.internal;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A tensor whose elements are made, piece by piece, while they are written to a file: none of it
 * stays in memory. Whoever opens it otherwise gets a copy on the heap.
 */
public final class StreamedTensor {
  /** The backend of such tensors, which are only read. */
  public static final TensorBackend<StreamedTensor> BACKEND = new Backend();

  private final TensorSpec spec;
  private final Content content;

  /** Makes a tensor's elements. */
  public interface Content {
    /**
     * Hands out all elements in row-major order, each little-endian.
     *
     * @throws IOException if what they are made of cannot be read, or the sink fails
     */
    void writeTo(RowMajorReader.Sink sink) throws IOException;
  }

  /**
   * Describes a tensor.
   *
   * @param spec row-major
   */
  public StreamedTensor(TensorSpec spec, Content content) {
    this.spec = spec;
    this.content = content;
  }

  /** Hands out all elements, as {@link Content#writeTo}. */
  void writeTo(RowMajorReader.Sink sink) throws IOException {
    content.writeTo(sink);
  }

  /**
   * Makes all elements.
   *
   * @throws UncheckedIOException if what they are made of cannot be read
   */
  public ArrayTensor inMemory() {
    ArrayTensor made = ArrayBackend.instance().allocate(List.of(spec)).get(0);
    HostMemory memory = ArrayBackend.instance().memory(made);
    long[] at = {0};
    try {
      content.writeTo(
          bytes -> {
            int n = bytes.remaining() / spec.type().bytes();
            HostMemory piece =
                HostMemory.of(
                    TypedBuffers.of(spec.type(), bytes.slice().order(ByteOrder.LITTLE_ENDIAN)));
            Elements.copy(spec.type(), piece, 0, 1, memory, at[0], 1, n);
            at[0] += n;
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return made;
  }

  private static final class Backend implements TensorBackend<StreamedTensor> {
    @Override
    public String name() {
      return "streamed";
    }

    @Override
    public Class<StreamedTensor> tensorType() {
      return StreamedTensor.class;
    }

    @Override
    public TensorSpec describe(StreamedTensor tensor) {
      return tensor.spec;
    }

    @Override
    public Storage storage(StreamedTensor tensor) {
      return new Storage(tensor, 0, tensor.spec.bytes());
    }

    @Override
    public HostMemory memory(StreamedTensor tensor) {
      return ArrayBackend.instance().memory(tensor.inMemory());
    }

    @Override
    public List<StreamedTensor> allocate(List<TensorSpec> specs) {
      throw new UnsupportedOperationException("such tensors are only read");
    }

    @Override
    public void release(List<StreamedTensor> tensors) {
      // They hold nothing.
    }
  }
}
