package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.Optional;

/**
 * The bytes of a file, for reading, until it is closed. Thread-safe.
 *
 * <p>The file is mapped by windows that overlap by half, so that any stretch of {@link #MAX_SLICE}
 * bytes lies in one of them. Java gives mapped memory back when the last buffer into it is garbage.
 */
final class FileBytes implements AutoCloseable {
  /** The most bytes that one slice has; a multiple of every element's size. */
  static final int MAX_SLICE = 1 << 30;

  private static final long MAX_WINDOW = Integer.MAX_VALUE;

  private final Path path;
  private final long size;
  private volatile Optional<ImmutableList<ByteBuffer>> windows;

  private FileBytes(Path path, long size, ImmutableList<ByteBuffer> windows) {
    this.path = path;
    this.size = size;
    this.windows = Optional.of(windows);
  }

  /**
   * Maps a file as long as it is now.
   *
   * @throws IOException if it cannot be read
   */
  static FileBytes map(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      ImmutableList.Builder<ByteBuffer> windows = ImmutableList.builder();
      for (long start = 0; start < size; start += MAX_SLICE) {
        windows.add(channel.map(MapMode.READ_ONLY, start, Math.min(MAX_WINDOW, size - start)));
      }
      return new FileBytes(path, size, windows.build());
    }
  }

  /**
   * Returns bytes in memory, at most {@link #MAX_SLICE}, as those of a file.
   *
   * @param path what to call them in messages
   */
  static FileBytes of(Path path, ByteBuffer bytes) {
    return new FileBytes(
        path, bytes.remaining(), ImmutableList.of(bytes.asReadOnlyBuffer().slice()));
  }

  Path path() {
    return path;
  }

  long size() {
    return size;
  }

  /**
   * Returns some of the bytes, for reading, in little-endian order.
   *
   * @param bytes how many, at most {@link #MAX_SLICE}
   * @throws IndexOutOfBoundsException if they are not all in the file
   * @throws IllegalStateException if the file is closed
   */
  ByteBuffer slice(long offset, long bytes) {
    Objects.checkFromIndexSize(offset, bytes, size);
    Objects.checkIndex(bytes, MAX_SLICE + 1L);
    ImmutableList<ByteBuffer> open = requireOpen();
    if (bytes == 0) {
      return ByteBuffer.allocate(0);
    }
    int index = (int) (offset / MAX_SLICE);
    return open.get(index)
        .slice((int) (offset - (long) index * MAX_SLICE), (int) bytes)
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  ImmutableList<ByteBuffer> requireOpen() {
    Optional<ImmutableList<ByteBuffer>> open = windows;
    checkState(open.isPresent(), "the file %s is closed, and its tensors with it", path);
    return open.get();
  }

  @Override
  public void close() {
    windows = Optional.empty();
  }
}
