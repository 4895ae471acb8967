package io.github.ema4j.spark;

import com.google.common.collect.ImmutableList;
import java.io.Serializable;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/**
 * What all tasks of a job have in common, which each executor is sent once.
 *
 * @param id what no other job has
 * @param files where the inputs are, by their indices
 * @param folder where the result goes
 * @param stem what the names of its files begin with
 * @param shards how many files it has
 * @param taskBytes what the ranges of a task may take
 * @param hadoop the driver's settings of file systems
 */
record ShardJob(
    String id,
    ImmutableList<String> files,
    String folder,
    String stem,
    int shards,
    long taskBytes,
    SerializableConfiguration hadoop)
    implements Serializable {

  Configuration configuration() {
    return hadoop.value();
  }

  /** Returns what the names of all files of this job, and of no other one, contain. */
  String tag() {
    return "-" + id + "-";
  }

  /**
   * Returns the file that an attempt at a task writes.
   *
   * @param attempt what no other attempt of this job has
   */
  Path file(int number, long attempt) {
    String name =
        String.format(
            Locale.ROOT,
            "%s-%05d-of-%05d%s%d.safetensors",
            stem,
            number + 1,
            shards,
            tag(),
            attempt);
    return new Path(folder, name);
  }
}
