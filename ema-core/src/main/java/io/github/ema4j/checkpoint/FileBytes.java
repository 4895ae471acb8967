package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bytes of a file, for reading, until it is closed. Thread-safe.
 *
 * <p>A file of this machine is mapped by windows that overlap by half, so that any stretch of
 * {@link #MAX_SLICE} bytes lies in one of them. Java gives mapped memory back when the last buffer
 * into it is garbage. It stays open as well: what is read once, and in order, is had sooner by
 * reading than by a mapping. Of a {@link FileSource}, each slice is read anew.
 */
final class FileBytes implements AutoCloseable {
  /** The most bytes that one slice has; a multiple of every element's size. */
  static final int MAX_SLICE = 1 << 30;

  private static final Logger LOG = LoggerFactory.getLogger(FileBytes.class);
  private static final long MAX_WINDOW = Integer.MAX_VALUE;

  private final Path path;
  private final long size;
  private final @Nullable FileSource source;
  private final @Nullable FileChannel channel;
  private volatile Optional<ImmutableList<ByteBuffer>> windows;

  private FileBytes(
      Path path, long size, @Nullable FileChannel channel, ImmutableList<ByteBuffer> windows) {
    this.path = path;
    this.size = size;
    this.source = null;
    this.channel = channel;
    this.windows = Optional.of(windows);
  }

  private FileBytes(FileSource source) {
    this.path = source.path();
    this.size = source.size();
    this.source = source;
    this.channel = null;
    this.windows = Optional.of(ImmutableList.of());
  }

  /**
   * Maps a file as long as it is now.
   *
   * @throws IOException if it cannot be read
   */
  static FileBytes map(Path path) throws IOException {
    FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
    try {
      long size = channel.size();
      ImmutableList.Builder<ByteBuffer> windows = ImmutableList.builder();
      for (long start = 0; start < size; start += MAX_SLICE) {
        windows.add(channel.map(MapMode.READ_ONLY, start, Math.min(MAX_WINDOW, size - start)));
      }
      return new FileBytes(path, size, channel, windows.build());
    } catch (IOException | RuntimeException | Error e) {
      channel.close();
      throw e;
    }
  }

  /**
   * Returns bytes in memory, at most {@link #MAX_SLICE}, as those of a file.
   *
   * @param path what to call them in messages
   */
  static FileBytes of(Path path, ByteBuffer bytes) {
    return new FileBytes(
        path, bytes.remaining(), null, ImmutableList.of(bytes.asReadOnlyBuffer().slice()));
  }

  /** Returns the bytes of a source, which is closed with them. */
  static FileBytes of(FileSource source) {
    return new FileBytes(source);
  }

  Path path() {
    return path;
  }

  /** Returns what the bytes are read from, if they are not in memory. */
  Optional<FileSource> source() {
    return Optional.ofNullable(source);
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
   * @throws UncheckedIOException if a source cannot be read
   */
  ByteBuffer slice(long offset, long bytes) {
    Objects.checkFromIndexSize(offset, bytes, size);
    Objects.checkIndex(bytes, MAX_SLICE + 1L);
    ImmutableList<ByteBuffer> open = requireOpen();
    if (bytes == 0) {
      return ByteBuffer.allocate(0);
    }
    if (source != null) {
      ByteBuffer copy = ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
      read(source, offset, copy);
      return copy.flip();
    }
    int index = (int) (offset / MAX_SLICE);
    return open.get(index)
        .slice((int) (offset - (long) index * MAX_SLICE), (int) bytes)
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Reads some of the bytes until a buffer is full.
   *
   * @throws IndexOutOfBoundsException if they are not all in the file
   * @throws IllegalStateException if the file is closed
   * @throws UncheckedIOException if a source cannot be read
   */
  void read(long offset, ByteBuffer into) {
    Objects.checkFromIndexSize(offset, into.remaining(), size);
    requireOpen();
    if (source != null) {
      read(source, offset, into);
      return;
    }
    for (long at = offset, end = offset + into.remaining(), n; at < end; at += n) {
      n = Math.min(MAX_SLICE, end - at);
      into.put(slice(at, n));
    }
  }

  /**
   * Reads some of the bytes until a buffer is full, as {@link #read}: sooner where all of a file is
   * read once. For threads that nobody interrupts, as that would close the file.
   *
   * @throws IndexOutOfBoundsException if they are not all in the file
   * @throws IllegalStateException if the file is closed
   * @throws CheckpointException if the file was cut off meanwhile
   * @throws UncheckedIOException if it cannot be read
   */
  void readOnce(long offset, ByteBuffer into) {
    if (channel == null) {
      read(offset, into);
      return;
    }
    Objects.checkFromIndexSize(offset, into.remaining(), size);
    requireOpen();
    read(channel, offset, into);
  }

  private static void read(FileSource source, long offset, ByteBuffer into) {
    try {
      source.read(offset, into);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void read(FileChannel from, long offset, ByteBuffer into) {
    for (long at = offset, n; into.hasRemaining(); at += n) {
      try {
        n = from.read(into, at);
      } catch (IOException e) {
        requireOpen();
        throw new UncheckedIOException(path + " cannot be read at byte " + at + ": " + e, e);
      }
      if (n < 0) {
        throw new CheckpointException(
            path, "it was cut off at byte " + at + " while it was open, and had " + size);
      }
    }
  }

  ImmutableList<ByteBuffer> requireOpen() {
    Optional<ImmutableList<ByteBuffer>> open = windows;
    checkState(open.isPresent(), "the file %s is closed, and its tensors with it", path);
    return open.get();
  }

  @Override
  public void close() {
    windows = Optional.empty();
    if (source != null) {
      source.close();
    }
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        LOG.debug("Closing {} failed, of which nothing was written", path, e);
      }
    }
  }
}
