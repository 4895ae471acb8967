package io.github.ema4j.checkpoint;

import com.google.common.collect.Sets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes files that are there as a whole or not at all: each is written beside its target under a
 * name of its own, and takes the target's place once all of it is on the disk.
 *
 * <p>It is locked while it is written, so that what a process left behind that died can be told
 * from what another one is writing.
 */
final class DurableFiles {
  private static final Logger LOG = LoggerFactory.getLogger(DurableFiles.class);
  private static final String PREFIX = ".ema4j-";
  private static final String SUFFIX = ".tmp";

  /** What this process writes: to open one of them would end its lock. */
  private static final Set<Path> BEING_WRITTEN = Sets.newConcurrentHashSet();

  /** Writes what a file is to contain. */
  interface Content {
    /** Writes it, from position 0 on. */
    void writeTo(FileChannel channel) throws IOException;
  }

  private DurableFiles() {}

  /**
   * Writes a file durably.
   *
   * @throws IOException if that fails; a file that was there before is as it was
   */
  static void write(Path target, Content content) throws IOException {
    Path folder = folderOf(target);
    if (!Files.isDirectory(folder)) {
      throw new NoSuchFileException(
          target.toString(), null, "there is no folder " + folder + "; create it first");
    }
    Path temporary = folder.resolve(PREFIX + UUID.randomUUID() + SUFFIX);
    BEING_WRITTEN.add(temporary);
    try {
      write(temporary, target, content);
    } catch (IOException e) {
      throw new IOException(
          String.format(
              "cannot write %s: %s; what was there before is as it was (%s bytes are free there)",
              target, e.getMessage(), freeBytes(folder)),
          e);
    } finally {
      BEING_WRITTEN.remove(temporary);
    }
    force(folder);
  }

  /**
   * Writes a small file durably.
   *
   * @throws IOException if that fails; a file that was there before is as it was
   */
  static void write(Path target, byte[] content) throws IOException {
    write(
        target,
        channel -> {
          ByteBuffer rest = ByteBuffer.wrap(content);
          while (rest.hasRemaining()) {
            channel.write(rest);
          }
        });
  }

  private static void write(Path temporary, Path target, Content content) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            temporary,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      lock(channel);
      content.writeTo(channel);
      channel.force(true);
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException | RuntimeException | Error e) {
      deleteAfter(e, temporary);
      throw e;
    }
  }

  private static void deleteAfter(Throwable failure, Path temporary) {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /**
   * Locks a file until it is closed, before anything is written to it. Without locks, what a killed
   * process leaves behind stays.
   */
  private static void lock(FileChannel channel) {
    try {
      channel.lock(); // waits if someone looks whether it is abandoned
    } catch (IOException e) {
      LOG.debug("Cannot lock a file that is written", e);
    }
  }

  /** Deletes the files that processes which are no more were writing in a folder. */
  static void deleteAbandoned(Path folder) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, PREFIX + "*" + SUFFIX)) {
      for (Path file : files) {
        if (isAbandoned(file)) {
          LOG.info("Deleting {}: the process that wrote it ended before it was complete", file);
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private static boolean isAbandoned(Path file) {
    if (BEING_WRITTEN.contains(file)) {
      return false;
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
        @Nullable FileLock lock = channel.tryLock()) {
      // An empty one may have been created just now, and not be locked yet.
      return lock != null && channel.size() > 0;
    } catch (IOException | OverlappingFileLockException e) {
      return false; // it is gone by now, or locked by this process, or locks are not to be had
    }
  }

  /** Makes a folder's entries durable where the system can; Windows does not open folders. */
  private static void force(Path folder) throws IOException {
    try (FileChannel entries = FileChannel.open(folder, StandardOpenOption.READ)) {
      entries.force(true);
    } catch (AccessDeniedException e) {
      LOG.debug("Cannot open {} to force it", folder, e);
    }
  }

  private static String freeBytes(Path folder) {
    try {
      return String.valueOf(Files.getFileStore(folder).getUsableSpace());
    } catch (IOException e) {
      return "unknown";
    }
  }

  private static Path folderOf(Path file) {
    Path absolute = file.toAbsolutePath();
    Path folder = absolute.getParent();
    return folder == null ? absolute : folder;
  }
}
