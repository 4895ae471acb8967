package io.github.ema4j.checkpoint;

import static com.google.common.collect.ImmutableList.toImmutableList;

import com.google.common.collect.ImmutableList;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of a folder of checkpoints: {@code checkpoint-NUMBER.safetensors}, or the index of
 * shards, {@code checkpoint-NUMBER.safetensors.index.json}. A shard is called {@code
 * checkpoint-NUMBER.SAVE-00001-of-00002.safetensors}, where SAVE is random: what a save that failed
 * has left is not mistaken for what another one has written.
 *
 * @param limit how many checkpoints are kept
 */
record CheckpointFiles(Path folder, int limit) {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointFolder.class);
  private static final String SINGLE = ".safetensors";
  private static final Pattern CHECKPOINT =
      Pattern.compile("checkpoint-(\\d{1,18})\\.safetensors(\\.index\\.json)?");
  private static final Pattern OF_A_SAVE =
      Pattern.compile("checkpoint-\\d{1,18}\\.[0-9a-f]{16}(-\\d+-of-\\d+\\.safetensors|\\.failed)");

  /**
   * Returns the complete checkpoints of a folder, oldest first; none if it is missing.
   *
   * @throws IOException if it cannot be read
   */
  static ImmutableList<Path> checkpoints(Path folder) throws IOException {
    if (Files.notExists(folder)) {
      return ImmutableList.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(file -> number(file) >= 0)
          .sorted(Comparator.comparingLong(CheckpointFiles::number))
          .collect(toImmutableList());
    }
  }

  /** Returns a checkpoint's number; -1 if a file is none. */
  private static long number(Path file) {
    Matcher matcher = CHECKPOINT.matcher(file.getFileName().toString());
    return matcher.matches() ? Long.parseLong(matcher.group(1)) : -1;
  }

  /** Returns how the names of the next checkpoint's files begin. */
  String nextStem() throws IOException {
    ImmutableList<Path> before = checkpoints(folder);
    long number = before.isEmpty() ? 1 : number(before.get(before.size() - 1)) + 1;
    return String.format("checkpoint-%06d", number);
  }

  Path single(String stem) {
    return folder.resolve(stem + SINGLE);
  }

  Path index(String stem) {
    return folder.resolve(stem + ShardIndex.SUFFIX);
  }

  /** Deletes all checkpoints but the latest, and what saves that failed have left. */
  void deleteOld() throws IOException {
    ImmutableList<Path> all = checkpoints(folder);
    for (Path old : all.subList(0, Math.max(0, all.size() - limit))) {
      Set<Path> shards = shards(old).orElse(Set.of());
      delete(old); // before what it names
      shards.forEach(CheckpointFiles::delete);
    }
    deleteLeftOver();
  }

  /** Deletes what saves that failed have left; nothing if a checkpoint does not say what it has. */
  void deleteLeftOver() throws IOException {
    Set<Path> needed = new HashSet<>();
    for (Path checkpoint : checkpoints(folder)) {
      Optional<Set<Path>> shards = shards(checkpoint);
      if (shards.isEmpty()) {
        return;
      }
      needed.addAll(shards.get());
    }
    try (Stream<Path> files = Files.list(folder)) {
      files
          .filter(file -> OF_A_SAVE.matcher(file.getFileName().toString()).matches())
          .filter(file -> !needed.contains(file))
          .forEach(CheckpointFiles::delete);
    }
  }

  /** Returns what belongs to a checkpoint beside its own file; empty if that cannot be told. */
  private static Optional<Set<Path>> shards(Path checkpoint) throws IOException {
    if (!checkpoint.toString().endsWith(ShardIndex.SUFFIX)) {
      return Optional.of(Set.of());
    }
    try {
      return Optional.of(ShardIndex.shards(checkpoint));
    } catch (CheckpointException e) {
      LOG.warn("Not deleting shards, which this index may name: {}", e.getMessage());
      return Optional.empty();
    }
  }

  private static void delete(Path old) {
    try {
      Files.deleteIfExists(old);
    } catch (IOException e) {
      LOG.warn("Cannot delete {}", old, e); // the checkpoints that are kept are safe all the same
    }
  }
}
