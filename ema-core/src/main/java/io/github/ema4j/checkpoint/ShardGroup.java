package io.github.ema4j.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The processes that each write one shard of every checkpoint of a folder, as one of them sees it.
 * They agree by files alone, each of which is there as a whole or not at all:
 *
 * <ol>
 *   <li>The first process calls for the shards of a save, which has a name that none had before.
 *   <li>All write their shards under this name. One that has answered the call of a run that died
 *       answers the next call anew.
 *   <li>The first process looks whether all shards are there and belong together, and writes the
 *       index, which makes them a checkpoint. The others wait for it.
 * </ol>
 *
 * <p>If one fails, it says so in a file of the save, and all fail. Nothing that belongs to a
 * checkpoint is touched before the next one's index is in place.
 */
final class ShardGroup implements AutoCloseable {
  private static final String CALL = ".ema4j-call";
  private static final Pattern SAVE = Pattern.compile("checkpoint-\\d{1,18}\\.[0-9a-f]{16}");
  private static final long MAX_PAUSE_MILLIS = 100;

  private final CheckpointFiles files;
  private final int index;
  private final int count;
  private final Duration patience;
  private final ShardLock lock;
  private final SecureRandom random = new SecureRandom();

  /** Writes one process's shard. */
  interface Saving {
    /** Writes it to a file, durably. */
    void writeTo(Path file) throws IOException;
  }

  /**
   * Joins a group.
   *
   * @param patience how long to wait for the others
   * @throws IOException if another process has this shard
   */
  ShardGroup(CheckpointFiles files, int index, int count, Duration patience) throws IOException {
    this.files = files;
    this.index = index;
    this.count = count;
    this.patience = patience;
    lock = ShardLock.of(files.folder(), index);
  }

  /**
   * Saves a checkpoint together with the other processes.
   *
   * @return its index
   * @throws IOException if this process or another one fails, does not come in time, or saves
   *     something else
   */
  Path write(Saving saving) throws IOException {
    return index == 0 ? lead(saving) : follow(saving);
  }

  private Path lead(Saving saving) throws IOException {
    String stem = files.nextStem();
    String save = stem + "." + HexFormat.of().toHexDigits(random.nextLong());
    Path joined = files.index(stem);
    DurableFiles.write(call(), save.getBytes(UTF_8));
    writeShard(save, saving);
    try {
      ShardIndex.join(joined, awaitShards(save));
    } catch (CheckpointException e) {
      IOException failure = new IOException("the shards cannot be joined: " + e.getMessage(), e);
      tell(save, failure);
      throw failure;
    } catch (IOException e) {
      tell(save, e);
      throw e;
    }
    files.deleteOld();
    return joined;
  }

  private List<Path> awaitShards(String save) throws IOException {
    List<Path> shards = IntStream.range(0, count).mapToObj(i -> shard(save, i)).toList();
    Waiting waiting = new Waiting();
    while (true) {
      List<Integer> late =
          IntStream.range(0, count).filter(i -> !Files.exists(shards.get(i))).boxed().toList();
      if (late.isEmpty()) {
        return shards;
      }
      throwIfFailed(save);
      checkNoOthers(save, shards);
      waiting.pause(
          () ->
              String.format(
                  "of %s shards, %s were not saved within %s; their processes have died, are slow,"
                      + " or have not called save",
                  count, late, patience));
    }
  }

  private void checkNoOthers(String save, List<Path> shards) throws IOException {
    try (Stream<Path> all = Files.list(files.folder())) {
      Optional<Path> other =
          all.filter(file -> file.getFileName().toString().startsWith(save + "-"))
              .filter(file -> !shards.contains(file))
              .findFirst();
      if (other.isPresent()) {
        throw new IOException(
            String.format(
                "%s is there, but this process is one of %s; tell all the same number of shards",
                other.get().getFileName(), count));
      }
    }
  }

  private Path follow(Saving saving) throws IOException {
    @Nullable String answered = null;
    Waiting waiting = new Waiting();
    while (true) {
      Optional<String> call = openCall(); // before looking what came of the last: it is newer
      if (answered != null) {
        if (isJoined(answered)) {
          return index(answered);
        }
        throwIfFailed(answered);
      }
      if (call.isPresent() && !call.get().equals(answered)) {
        answered = call.get();
        writeShard(answered, saving);
        waiting = new Waiting();
      } else {
        String awaited = answered == null ? "called for shards" : "joined the shards";
        waiting.pause(
            () ->
                String.format(
                    "the process of shard 0 has not %s within %s; it has died, is slow, or has not"
                        + " called save",
                    awaited, patience));
      }
    }
  }

  /** Returns the save that shards are called for, if it has not ended yet. */
  private Optional<String> openCall() throws IOException {
    String save;
    try {
      save = Files.readString(call());
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    boolean open =
        SAVE.matcher(save).matches() && !Files.exists(index(save)) && !Files.exists(failure(save));
    return open ? Optional.of(save) : Optional.empty();
  }

  private boolean isJoined(String save) throws IOException {
    Path joined = index(save);
    return Files.exists(joined) && ShardIndex.shards(joined).contains(shard(save, index));
  }

  private void writeShard(String save, Saving saving) throws IOException {
    try {
      saving.writeTo(shard(save, index));
    } catch (IOException | RuntimeException | Error e) {
      tell(save, e);
      throw e;
    }
  }

  /** Tells the other processes of a failure, as far as that is possible. */
  private void tell(String save, Throwable failure) {
    try {
      if (index == 0) {
        files.deleteLeftOver(); // perhaps there was no room
      }
      String reason = "shard " + index + " of " + count + ": " + failure.getMessage();
      DurableFiles.write(failure(save), reason.getBytes(UTF_8));
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  private void throwIfFailed(String save) throws IOException {
    if (Files.exists(failure(save))) {
      throw new IOException("another process failed to save: " + Files.readString(failure(save)));
    }
  }

  private Path call() {
    return files.folder().resolve(CALL);
  }

  private Path failure(String save) {
    return files.folder().resolve(save + ".failed");
  }

  private Path shard(String save, int i) {
    return files.folder().resolve(SafetensorsWriter.shardName(save, i, count));
  }

  private Path index(String save) {
    return files.index(save.substring(0, save.indexOf('.')));
  }

  @Override
  public void close() throws IOException {
    lock.close();
  }

  /** A time to wait, which ends. */
  private final class Waiting {
    private final long begin = System.nanoTime();
    private final long nanos = TimeUnit.NANOSECONDS.convert(patience);
    private long pauseMillis = 1;

    /**
     * Waits a little.
     *
     * @throws IOException if the time is over
     */
    void pause(Supplier<String> complaint) throws IOException {
      if (System.nanoTime() - begin >= nanos) {
        throw new IOException(complaint.get());
      }
      try {
        TimeUnit.MILLISECONDS.sleep(pauseMillis);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while waiting for other processes", e);
      }
      pauseMillis = Math.min(2 * pauseMillis, MAX_PAUSE_MILLIS);
    }
  }
}
