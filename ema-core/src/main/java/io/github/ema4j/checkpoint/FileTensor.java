package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * A tensor that lies in a file, for reading, until the file is closed. Its elements are mapped into
 * memory, not copied to the heap.
 */
public final class FileTensor {
  private final FileBytes file;
  private final long offset;
  private final ByteOrder order;
  private final TensorSpec spec;

  /**
   * Makes a tensor of a file.
   *
   * @param offset the first element's first byte
   * @param order of the bytes of an element
   * @throws IllegalArgumentException if it leaves the file, which the file's reader has ruled out
   */
  FileTensor(FileBytes file, long offset, ByteOrder order, TensorSpec spec) {
    long room = (file.size() - offset) / spec.type().bytes();
    checkArgument(
        offset >= 0 && offset <= file.size() && spec.extent() <= room,
        "shape %s from byte %s on leaves the file of %s bytes",
        spec.shape(),
        offset,
        file.size());
    this.file = file;
    this.offset = offset;
    this.order = order;
    this.spec = spec;
  }

  /** Returns shape, type and strides. */
  public TensorSpec spec() {
    return spec;
  }

  /** Returns the file that the tensor lies in. */
  public Path file() {
    return file.path();
  }

  void requireOpen() {
    file.requireOpen();
  }

  Storage storage() {
    requireOpen();
    return new Storage(file, offset, spec.extent() * spec.type().bytes());
  }

  HostMemory memory() {
    requireOpen();
    long bytes = spec.extent() * spec.type().bytes();
    int count = (int) Math.max(1, (bytes - 1) / FileBytes.MAX_SLICE + 1);
    Buffer[] segments = new Buffer[count];
    for (int i = 0; i < count; i++) {
      long begin = (long) i * FileBytes.MAX_SLICE;
      long length = Math.min(FileBytes.MAX_SLICE, bytes - begin);
      segments[i] = typed(file.slice(offset + begin, length).order(order));
    }
    return HostMemory.ofSegments(segments);
  }

  private Buffer typed(ByteBuffer bytes) {
    return switch (spec.type()) {
      case F64 -> bytes.asDoubleBuffer();
      case F32 -> bytes.asFloatBuffer();
      case I64 -> bytes.asLongBuffer();
      case I32 -> bytes.asIntBuffer();
      case F16, BF16, I16 -> bytes.asShortBuffer();
      case I8, U8, BOOL -> bytes;
    };
  }
}
