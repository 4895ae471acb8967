package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.internal.Checks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder of checkpoints of one training, of which the latest are kept.
 *
 * <pre>{@code
 * try (CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(3, folder)) {
 *   ema.resumeFromLatest(folder);
 *   for (...) {
 *     trainOneStep(model);
 *     ema.update(model);
 *     if (everySoOften) {
 *       checkpoints.saveInBackground(ema);
 *     }
 *   }
 * }
 * }</pre>
 *
 * <p>Files are called {@code checkpoint-NUMBER.safetensors}, where the number counts the saves. One
 * process at a time saves to a folder, or several that save together; from one thread at a time.
 * Any may read.
 */
public final class CheckpointFolder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointFolder.class);

  private final CheckpointFiles files;
  private final @Nullable ShardGroup group;
  private final ExecutorService writer =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread thread = new Thread(work, "ema4j-checkpoint-writer");
            thread.setDaemon(true); // close waits for it; a program that dies does not
            return thread;
          });
  private @Nullable Future<Path> pending;
  private boolean closed;

  private CheckpointFolder(CheckpointFiles files, @Nullable ShardGroup group) {
    this.files = files;
    this.group = group;
  }

  /**
   * Opens a folder, which is created if it is missing, and deletes what processes that died while
   * they were saving have left there.
   *
   * @param limit how many checkpoints are kept, at least 1; older ones are deleted when a newer one
   *     is complete
   * @throws IllegalArgumentException if the limit is not positive
   * @throws IOException if the folder cannot be created or read
   */
  public static CheckpointFolder keepingLatest(int limit, Path folder) throws IOException {
    return new CheckpointFolder(files(limit, folder), null);
  }

  /**
   * Opens a folder to which several processes save together, each the average of its shard of the
   * model ({@link io.github.ema4j.spi.ModelAdapter#shard}) and that shard. A checkpoint is an
   * ordinary one in shards, {@code checkpoint-NUMBER.safetensors.index.json}: it is resumed from by
   * any number of processes, and read as any other.
   *
   * <p>All processes save at the same steps, and a call returns in all of them when the checkpoint
   * is complete, or fails in all: if one fails, does not save in time, has come less far, or has
   * another configuration. Until it is complete, the checkpoints before it stay as they are. The
   * processes meet in the folder alone, so all must see it, as one disk or a shared file system.
   * End those that are left of a run before another one is started.
   *
   * @param limit how many checkpoints are kept, at least 1
   * @param index which shard this process saves, in [0, count)
   * @param count how many processes there are
   * @param patience how long a process that has saved its shard waits for the others
   * @throws IllegalArgumentException if the limit or the count is not positive
   * @throws IndexOutOfBoundsException if there is no such shard
   * @throws IOException if the folder cannot be created or read, or another process saves this
   *     shard to it
   */
  public static CheckpointFolder keepingLatest(
      int limit, Path folder, int index, int count, Duration patience) throws IOException {
    Checks.shard(index, count);
    CheckpointFiles files = files(limit, folder);
    return new CheckpointFolder(files, new ShardGroup(files, index, count, patience));
  }

  private static CheckpointFiles files(int limit, Path folder) throws IOException {
    checkArgument(limit >= 1, "limit must be at least 1, but was %s", limit);
    Files.createDirectories(folder);
    deleteAbandoned(folder);
    return new CheckpointFiles(folder, limit);
  }

  /**
   * Deletes what processes that died while they were writing have left in a folder.
   *
   * @throws IOException if the folder cannot be read
   */
  public static void deleteAbandoned(Path folder) throws IOException {
    DurableFiles.deleteAbandoned(folder);
  }

  /**
   * Returns the complete checkpoints of a folder, oldest first; none if it is missing.
   *
   * @throws IOException if it cannot be read
   */
  public static ImmutableList<Path> checkpoints(Path folder) throws IOException {
    return CheckpointFiles.checkpoints(folder);
  }

  /**
   * Saves averages and their model, and returns when the checkpoint is on the disk.
   *
   * @return the checkpoint
   * @throws IOException if this fails, or what was saved in the background before did
   * @throws IllegalStateException as {@link Resumable#save}, or if this is closed
   */
  public Path save(Resumable averages) throws IOException {
    await();
    checkState(!closed, "the folder %s is closed", files.folder());
    return write(averages::save);
  }

  /**
   * Copies averages and their model, and returns when that is done; the copy is saved in the
   * background. Waits first for what is being saved already.
   *
   * @throws IOException if what was saved in the background before failed
   * @throws IllegalStateException as {@link Resumable#capture}, or if this is closed
   */
  public void saveInBackground(Resumable averages) throws IOException {
    await();
    checkState(!closed, "the folder %s is closed", files.folder());
    CheckpointContent content = averages.capture();
    pending =
        writer.submit(
            () -> {
              try (content) {
                return write(content::write);
              }
            });
  }

  /**
   * Waits until nothing is being saved.
   *
   * @return the checkpoint that was saved in the background, if one was since the last call
   * @throws IOException if it could not be saved
   */
  public Optional<Path> await() throws IOException {
    Future<Path> awaited = pending;
    if (awaited == null) {
      return Optional.empty();
    }
    try {
      Path saved = awaited.get();
      pending = null;
      return Optional.of(saved);
    } catch (ExecutionException e) {
      pending = null;
      throw new IOException(
          "a checkpoint could not be saved in the background: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while a checkpoint was being saved", e);
    }
  }

  private Path write(ShardGroup.Saving saving) throws IOException {
    if (group != null) {
      return group.write(saving);
    }
    Path file = files.single(files.nextStem());
    saving.writeTo(file);
    files.deleteOld();
    return file;
  }

  static Optional<Path> resumeLatest(Resumable averages, Path folder, OnConfigChange choice)
      throws IOException {
    ImmutableList<Path> newestFirst = checkpoints(folder).reverse();
    @Nullable CheckpointException failure = null;
    for (Path checkpoint : newestFirst) {
      try {
        averages.resumeFrom(checkpoint, choice);
        return Optional.of(checkpoint);
      } catch (CheckpointException e) {
        LOG.warn("Passing over a checkpoint that is not sound: {}", e.getMessage());
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
    return Optional.empty();
  }

  /**
   * Waits until nothing is being saved.
   *
   * @throws IOException if what was saved in the background failed
   */
  @Override
  public void close() throws IOException {
    closed = true;
    try {
      await();
    } finally {
      writer.shutdown();
      if (group != null) {
        group.close();
      }
    }
  }
}
