package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.collect.ImmutableList.toImmutableList;

import com.google.common.collect.ImmutableList;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
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
 * process at a time saves to a folder, from one thread at a time; any may read.
 */
public final class CheckpointFolder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointFolder.class);
  private static final Pattern NAME = Pattern.compile("checkpoint-(\\d{1,18})\\.safetensors");

  private interface Saving {
    void writeTo(Path file) throws IOException;
  }

  private final Path folder;
  private final int limit;
  private final ExecutorService writer =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread thread = new Thread(work, "ema4j-checkpoint-writer");
            thread.setDaemon(true); // close waits for it; a program that dies does not
            return thread;
          });
  private @Nullable Future<Path> pending;
  private boolean closed;

  private CheckpointFolder(Path folder, int limit) {
    this.folder = folder;
    this.limit = limit;
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
    checkArgument(limit >= 1, "limit must be at least 1, but was %s", limit);
    Files.createDirectories(folder);
    deleteAbandoned(folder);
    return new CheckpointFolder(folder, limit);
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
    if (Files.notExists(folder)) {
      return ImmutableList.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(file -> number(file) >= 0)
          .sorted(Comparator.comparingLong(CheckpointFolder::number))
          .collect(toImmutableList());
    }
  }

  /** Returns a checkpoint's number; -1 if a file is none. */
  private static long number(Path file) {
    Matcher matcher = NAME.matcher(file.getFileName().toString());
    return matcher.matches() ? Long.parseLong(matcher.group(1)) : -1;
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
    checkState(!closed, "the folder %s is closed", folder);
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
    checkState(!closed, "the folder %s is closed", folder);
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

  private Path write(Saving saving) throws IOException {
    List<Path> before = checkpoints(folder);
    long number = before.isEmpty() ? 1 : number(before.get(before.size() - 1)) + 1;
    Path file = folder.resolve(String.format("checkpoint-%06d.safetensors", number));
    saving.writeTo(file);
    for (Path old : before.subList(0, Math.max(0, before.size() + 1 - limit))) {
      delete(old);
    }
    return file;
  }

  private static void delete(Path old) {
    try {
      Files.deleteIfExists(old);
    } catch (IOException e) {
      LOG.warn("Cannot delete the old checkpoint {}", old, e); // the new one is safe all the same
    }
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
    }
  }
}
