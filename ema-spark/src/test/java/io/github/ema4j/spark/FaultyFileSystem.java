package io.github.ema4j.spark;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.concurrent.locks.LockSupport;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * This machine's files under the scheme {@code faulty}, as an object store that cannot append. Some
 * files that are written fail after their first bytes, or hang: how many was told to the
 * configuration. The count is kept in a folder, so that it holds for all processes.
 */
public final class FaultyFileSystem extends RawLocalFileSystem {
  static final String MARKS = "test.faulty.marks";
  static final String FAILURES = "test.faulty.failures";
  static final String HANGING = "test.faulty.hanging";
  static final String DONE = "done";
  private static final int SOUND_BYTES = 1_000;
  private static final String VICTIM = "-00002-of-";

  /** Tells the configuration to have this file system. */
  static void register(Configuration configuration, java.nio.file.Path marks) {
    configuration.set("fs.faulty.impl", FaultyFileSystem.class.getName());
    configuration.setBoolean("fs.faulty.impl.disable.cache", true);
    configuration.set(MARKS, marks.toString());
  }

  @Override
  public URI getUri() {
    return URI.create("faulty:///");
  }

  @Override
  public String getScheme() {
    return "faulty";
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    return !capability.equals(CommonPathCapabilities.FS_APPEND)
        && super.hasPathCapability(path, capability);
  }

  @Override
  public FSDataOutputStream create(
      Path file,
      FsPermission permission,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return faulty(
        file,
        super.create(file, permission, overwrite, bufferSize, replication, blockSize, progress));
  }

  @Override
  public FSDataOutputStream create(
      Path file,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return faulty(
        file, super.create(file, overwrite, bufferSize, replication, blockSize, progress));
  }

  private FSDataOutputStream faulty(Path file, FSDataOutputStream sound) throws IOException {
    if (!file.getName().contains(VICTIM)) {
      return sound;
    }
    if (taken(FAILURES)) {
      return new FSDataOutputStream(new Faulty(sound, this::fail), null);
    }
    if (taken(HANGING)) {
      return new FSDataOutputStream(new Faulty(sound, this::hang), null);
    }
    return new FSDataOutputStream(
        new Faulty(sound, () -> {}) {
          @Override
          public void close() throws IOException {
            super.close();
            mark(DONE);
          }
        },
        null);
  }

  private void fail() {
    throw new UncheckedIOException(new IOException("the disk is full"));
  }

  /** Waits until another attempt has written the same. */
  private void hang() {
    while (!Files.exists(marks().resolve(DONE)) && !Thread.currentThread().isInterrupted()) {
      LockSupport.parkNanos(10_000_000);
    }
  }

  private boolean taken(String fault) throws IOException {
    for (int i = 0; i < getConf().getInt(fault, 0); i++) {
      if (mark(fault + i)) {
        return true;
      }
    }
    return false;
  }

  private boolean mark(String name) throws IOException {
    try {
      Files.createFile(marks().resolve(name));
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  private java.nio.file.Path marks() {
    return java.nio.file.Path.of(getConf().get(MARKS));
  }

  /** Does something before the bytes that follow the first ones. */
  private static class Faulty extends OutputStream {
    private final OutputStream sound;
    private final Runnable fault;
    private long count;

    Faulty(OutputStream sound, Runnable fault) {
      this.sound = sound;
      this.fault = fault;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      if (count > SOUND_BYTES) {
        fault.run();
      }
      sound.write(bytes, offset, length);
      count += length;
    }

    @Override
    public void close() throws IOException {
      sound.close();
    }
  }
}
