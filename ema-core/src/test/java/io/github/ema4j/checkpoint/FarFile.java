package io.github.ema4j.checkpoint;

import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** A file that is nowhere but in a map of names to bytes, and tells what was read of it. */
final class FarFile implements FileSource {
  private final Map<String, byte[]> files;
  private final String name;
  private final AtomicLong read;
  private final AtomicLong open;

  private FarFile(Map<String, byte[]> files, String name, AtomicLong read, AtomicLong open)
      throws IOException {
    if (!files.containsKey(name)) {
      throw new FileNotFoundException(name);
    }
    this.files = files;
    this.name = name;
    this.read = read;
    this.open = open;
    open.incrementAndGet();
  }

  /** Opens one of some files. */
  static FarFile of(Map<String, byte[]> files, String name) throws IOException {
    return new FarFile(files, name, new AtomicLong(), new AtomicLong());
  }

  /** Returns how many bytes were read of this file and those beside it. */
  long bytesRead() {
    return read.get();
  }

  /** Returns how many of this file and those beside it are open. */
  long open() {
    return open.get();
  }

  @Override
  public Path path() {
    return Path.of("far:", name);
  }

  @Override
  public long size() {
    return files.get(name).length;
  }

  @Override
  public void read(long position, ByteBuffer into) throws IOException {
    byte[] bytes = files.get(name);
    if (into.remaining() > bytes.length - position) {
      throw new EOFException();
    }
    read.addAndGet(into.remaining());
    into.put(bytes, (int) position, into.remaining());
  }

  @Override
  public FileSource sibling(String other) throws IOException {
    return new FarFile(files, other, read, open);
  }

  @Override
  public void close() {
    open.decrementAndGet();
  }
}
