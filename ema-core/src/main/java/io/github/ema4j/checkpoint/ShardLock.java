package io.github.ema4j.checkpoint;

import com.google.common.collect.Sets;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps a second process from saving the same shard; ends with the process at the latest. */
final class ShardLock implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ShardLock.class);

  /** What this process has locked: to open one of them again would end its lock. */
  private static final Set<Path> LOCKED = Sets.newConcurrentHashSet();

  private final Path file;
  private final FileChannel channel;

  private ShardLock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Locks a shard of a folder. Where the file system has no locks, nothing is kept out.
   *
   * @throws IOException if a process has locked it already
   */
  static ShardLock of(Path folder, int index) throws IOException {
    Path file = folder.toRealPath().resolve(String.format(".ema4j-shard-%05d.lock", index));
    if (!LOCKED.add(file)) {
      throw taken(folder, index);
    }
    try {
      return new ShardLock(file, lockedChannel(folder, index, file));
    } catch (IOException | RuntimeException | Error e) {
      LOCKED.remove(file);
      throw e;
    }
  }

  private static FileChannel lockedChannel(Path folder, int index, Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    @Nullable FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (IOException e) {
      LOG.debug("Cannot lock {}", file, e);
      return channel;
    }
    if (lock == null) {
      channel.close();
      throw taken(folder, index);
    }
    return channel;
  }

  private static IOException taken(Path folder, int index) {
    return new IOException(
        String.format(
            "shard %s is already saved to %s by another process, or elsewhere in this one; give"
                + " each process an index of its own, and end those of an earlier run",
            index, folder));
  }

  @Override
  public void close() throws IOException {
    if (channel.isOpen()) {
      channel.close();
      LOCKED.remove(file);
    }
  }
}
