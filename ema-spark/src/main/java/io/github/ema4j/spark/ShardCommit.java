package io.github.ema4j.spark;

import io.github.ema4j.checkpoint.StreamedShard;
import io.github.ema4j.checkpoint.StreamedShard.Written;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the files that tasks have written a checkpoint, on the driver, in one step: the index,
 * which names them, takes the place of an earlier one.
 */
final class ShardCommit {
  private static final Logger LOG = LoggerFactory.getLogger(SparkAverages.class);

  private final ShardJob job;
  private final Path folder;
  private final FileSystem files;
  private final Set<String> committed = new HashSet<>();

  ShardCommit(ShardJob job) throws IOException {
    this.job = job;
    folder = new Path(job.folder());
    files = HadoopSource.fileSystem(folder, job.configuration());
    files.mkdirs(folder);
  }

  /**
   * Checks, before anything is computed, that an index may name the files.
   *
   * @throws io.github.ema4j.checkpoint.CheckpointException if one has no plain name
   */
  void requireNames(List<StreamedShard> layouts) throws IOException {
    List<Written> all = new ArrayList<>();
    for (StreamedShard layout : layouts) {
      all.add(new Written(layout, job.file(all.size(), 0).getName(), ""));
    }
    StreamedShard.index(all);
  }

  /**
   * Writes the index, and deletes the files of an earlier one of its name.
   *
   * @param layouts of the files, by their numbers
   * @param shards one for each layout, in order
   * @return the index
   * @throws IOException if a file is not what its task has told, or the index cannot be written;
   *     what was there before is as it was
   */
  Path commit(List<StreamedShard> layouts, List<WrittenShard> shards) throws IOException {
    List<Written> written = new ArrayList<>();
    for (WrittenShard shard : shards) {
      StreamedShard layout = layouts.get(shard.number());
      requireWhole(new Path(folder, shard.file()), layout.bytes());
      written.add(new Written(layout, shard.file(), shard.digest()));
    }
    Path index = new Path(folder, job.stem() + ".safetensors.index.json");
    Set<String> before = files.exists(index) ? named(index) : Set.of();
    byte[] content = StreamedShard.index(written);
    shards.forEach(shard -> committed.add(shard.file())); // what fails now may have taken effect
    replace(index, content);
    before.forEach(this::delete);
    return index;
  }

  private void requireWhole(Path file, long bytes) throws IOException {
    long found = files.getFileStatus(file).getLen();
    if (found != bytes) {
      throw new IOException(
          String.format(
              "%s has %s bytes, but %s were written: is %s one folder for all executors?",
              file, found, bytes, folder));
    }
  }

  private Set<String> named(Path index) throws IOException {
    try (HadoopSource source = HadoopSource.open(index, job.configuration())) {
      return StreamedShard.named(source);
    }
  }

  /**
   * Writes a file that is there as a whole or not at all. Object stores, which cannot append, show
   * it when it is closed; elsewhere it is renamed.
   */
  private void replace(Path target, byte[] content) throws IOException {
    if (!files.hasPathCapability(target, CommonPathCapabilities.FS_APPEND)) {
      write(target, content, true);
      return;
    }
    Path temporary = new Path(folder, "." + job.stem() + job.tag() + "index");
    try {
      write(temporary, content, false);
      FileContext.getFileContext(target.toUri(), job.configuration())
          .rename(temporary, target, Options.Rename.OVERWRITE);
    } catch (IOException | RuntimeException | Error e) {
      files.delete(temporary, false);
      throw e;
    }
  }

  private void write(Path file, byte[] content, boolean overwrite) throws IOException {
    try (FSDataOutputStream out = files.create(file, overwrite)) {
      out.write(content);
      HadoopSource.force(out);
    }
  }

  /**
   * Deletes what this job has written but not committed: all of it if it has failed. An attempt
   * that is still being ended deletes its file itself.
   */
  void deleteLeftovers() {
    try {
      for (FileStatus each : files.listStatus(folder)) {
        String name = each.getPath().getName();
        if (name.contains(job.tag()) && !committed.contains(name)) {
          delete(name);
        }
      }
    } catch (IOException e) {
      LOG.warn("Cannot look for what is left of {} in {}", job.tag(), folder, e);
    }
  }

  private void delete(String name) {
    try {
      files.delete(new Path(folder, name), false);
    } catch (IOException e) {
      LOG.warn("Cannot delete {}, which nothing refers to, in {}", name, folder, e);
    }
  }
}
