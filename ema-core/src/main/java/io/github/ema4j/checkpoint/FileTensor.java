package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.internal.TypedBuffers;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;

/**
 * A tensor that lies in a file, for reading, until the file is closed. Its elements are mapped into
 * memory, not copied to the heap. Those in a {@link FileSource} are not in memory: they are read by
 * pieces.
 */
public final class FileTensor {
  private final FileBytes file;
  private final long offset;
  private final ByteOrder order;
  private final TensorSpec spec;
  private final boolean rowMajor;

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
    this.rowMajor = isRowMajor(spec);
  }

  /**
   * Returns a tensor of a source, whose place is known.
   *
   * @param offset the first element's first byte
   * @param order of the bytes of an element
   * @param spec what it is; as in the file that it was found in
   * @throws IllegalArgumentException if it leaves the source
   */
  public static FileTensor at(FileSource source, long offset, ByteOrder order, TensorSpec spec) {
    return new FileTensor(FileBytes.of(source), offset, order, spec);
  }

  /** Returns shape, type and strides. */
  public TensorSpec spec() {
    return spec;
  }

  /** Returns the file that the tensor lies in. */
  public Path file() {
    return file.path();
  }

  /** Returns what the tensor is read from, if its file is not this machine's. */
  public Optional<FileSource> source() {
    return file.source();
  }

  /** Returns where in the file the first element's first byte is. */
  public long offset() {
    return offset;
  }

  /** Returns the order of the bytes of an element. */
  public ByteOrder order() {
    return order;
  }

  /**
   * Reads some elements, in row-major order whatever the tensor's layout, each little-endian. Where
   * they lie in the file one after another, no other bytes of it are touched.
   *
   * @param firstElement where to begin, counted in row-major order
   * @param into from its position to its limit as many elements as are to be read; its position
   *     ends up at its limit
   * @throws IllegalArgumentException if that is no whole number of elements
   * @throws IndexOutOfBoundsException if the tensor does not have them all
   * @throws IllegalStateException if the file is closed
   * @throws java.io.UncheckedIOException if the file is not this machine's and cannot be read
   */
  public void read(long firstElement, ByteBuffer into) {
    int size = spec.type().bytes();
    checkArgument(
        into.remaining() % size == 0,
        "there is room for %s bytes, which is no whole number of elements of %s",
        into.remaining(),
        size);
    long count = into.remaining() / size;
    Objects.checkFromIndexSize(firstElement, count, spec.elements());
    requireOpen();
    ByteBuffer to = into.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    if (rowMajor) {
      readRun(firstElement, to);
    } else if (count > 0) {
      readScattered(firstElement, count, to);
    }
    into.position(into.limit());
  }

  private void readRun(long first, ByteBuffer to) {
    int size = spec.type().bytes();
    int begin = to.position();
    file.read(offset + first * size, to);
    if (order == ByteOrder.BIG_ENDIAN) {
      for (int i = begin; i < to.limit(); i += size) {
        reverse(to, i);
      }
    }
  }

  private void reverse(ByteBuffer elements, int at) {
    switch (spec.type().bytes()) {
      case Long.BYTES -> elements.putLong(at, Long.reverseBytes(elements.getLong(at)));
      case Integer.BYTES -> elements.putInt(at, Integer.reverseBytes(elements.getInt(at)));
      case Short.BYTES -> elements.putShort(at, Short.reverseBytes(elements.getShort(at)));
      default -> {} // a byte has no order
    }
  }

  /** Reads elements from one slice of the file, or from several where they are too far apart. */
  private void readScattered(long first, long count, ByteBuffer to) {
    int size = spec.type().bytes();
    long[] index = index(first);
    long last = first + count - 1;
    long begin = offset(count == 1 ? index : new long[] {index[0]});
    long end = count == 1 ? begin + 1 : offset(new long[] {index(last)[0]}) + rowExtent();
    if ((end - begin) * size > FileBytes.MAX_SLICE) {
      readScattered(first, count / 2, to);
      readScattered(first + count / 2, count - count / 2, to);
      return;
    }
    ByteBuffer from = file.slice(offset + begin * size, (end - begin) * size).order(order);
    long at = offset(index) - begin;
    for (long i = 0; i < count; i++) {
      put(from, (int) at * size, to);
      at = next(index, at);
    }
  }

  /** Returns an element's index in each dimension. */
  private long[] index(long element) {
    long[] index = new long[spec.shape().length()];
    long rest = element;
    for (int d = index.length - 1; d >= 0; d--) {
      index[d] = rest % spec.shape().get(d);
      rest /= spec.shape().get(d);
    }
    return index;
  }

  /** Returns how many elements' room lies between the first element and that of an index. */
  private long offset(long[] index) {
    long offset = 0;
    for (int d = 0; d < index.length; d++) {
      offset += index[d] * spec.strides().get(d);
    }
    return offset;
  }

  /** Returns the room that what is under one index of the outermost dimension spans. */
  private long rowExtent() {
    return spec.extent() - (spec.shape().get(0) - 1) * spec.strides().get(0);
  }

  /** Moves an index to the next element, and returns that one's offset. */
  private long next(long[] index, long offset) {
    long next = offset;
    for (int d = index.length - 1; d >= 0; d--) {
      next += spec.strides().get(d);
      if (++index[d] < spec.shape().get(d)) {
        break;
      }
      next -= index[d] * spec.strides().get(d);
      index[d] = 0;
    }
    return next;
  }

  /** Puts an element at a byte of one buffer to another, each in the buffer's order. */
  private void put(ByteBuffer from, int at, ByteBuffer to) {
    switch (spec.type().bytes()) {
      case Long.BYTES -> to.putLong(from.getLong(at));
      case Integer.BYTES -> to.putInt(from.getInt(at));
      case Short.BYTES -> to.putShort(from.getShort(at));
      default -> to.put(from.get(at));
    }
  }

  private static boolean isRowMajor(TensorSpec spec) {
    long stride = 1;
    for (int d = spec.shape().length() - 1; d >= 0; d--) {
      long size = spec.shape().get(d);
      if (size > 1 && spec.strides().get(d) != stride) {
        return false;
      }
      stride *= size;
    }
    return true;
  }

  /** Tells whether the elements lie one after another in row-major order, whatever their bytes'. */
  public boolean isRowMajor() {
    return rowMajor;
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
    if (file.source().isPresent()) {
      throw new UnsupportedOperationException(
          file.path() + " is not a file of this machine: copy it here, or read it by pieces");
    }
    long bytes = spec.extent() * spec.type().bytes();
    int count = (int) Math.max(1, (bytes - 1) / FileBytes.MAX_SLICE + 1);
    Buffer[] segments = new Buffer[count];
    for (int i = 0; i < count; i++) {
      long begin = (long) i * FileBytes.MAX_SLICE;
      long length = Math.min(FileBytes.MAX_SLICE, bytes - begin);
      segments[i] = TypedBuffers.of(spec.type(), file.slice(offset + begin, length).order(order));
    }
    return HostMemory.ofSegments(segments);
  }
}
