package io.github.ema4j.spark;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.collect.ImmutableList.toImmutableList;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.merge.MergePlan;
import io.github.ema4j.posthoc.Profile;
import io.github.ema4j.posthoc.Snapshots;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * What is to be averaged, and where the result goes. Files are named as Hadoop does it, such as
 * {@code hdfs://host/a.safetensors} or {@code s3a://bucket/a.safetensors}; nothing is opened before
 * the plan is run. Immutable.
 */
public final class SparkPlan {
  /** How many bytes of tensors a file of the result has at most by default: 1 GiB. */
  public static final long DEFAULT_SHARD_BYTES = 1L << 30;

  /** How many bytes of ranges a task has in memory at most by default: 64 MiB. */
  public static final long DEFAULT_TASK_BYTES = 64L << 20;

  private static final String EXTENSION = ".safetensors";

  private final OpenInputs.Opener inputs;
  private final String output;
  private final long maxShardBytes;
  private final long taskBytes;

  private SparkPlan(OpenInputs.Opener inputs, String output, long maxShardBytes, long taskBytes) {
    this.inputs = inputs;
    this.output = requireNonNull(output, "output");
    this.maxShardBytes = maxShardBytes;
    this.taskBytes = taskBytes;
  }

  /**
   * Averages checkpoints' models, as {@link MergePlan#average} does.
   *
   * @param files the checkpoints: whatever {@link Checkpoint} reads
   * @param weights how much of each is in the average, such as {@link
   *     io.github.ema4j.merge.MergeWeights} returns them
   * @param output the name of the single file that the result would be
   * @throws IllegalArgumentException if there is not one weight for each file
   */
  public static SparkPlan average(List<String> files, double[] weights, String output) {
    return average(files, weights, "model", output);
  }

  /**
   * Averages some of the weights in checkpoints.
   *
   * @param which as {@link Checkpoint#weights} takes it: {@code model}, {@code ema}, or {@code
   *     ema.NAME}
   * @throws IllegalArgumentException as {@link #average(List, double[], String)}
   */
  public static SparkPlan average(
      List<String> files, double[] weights, String which, String output) {
    checkArgument(
        files.size() == weights.length,
        "there must be one weight for each file, but there are %s for %s files",
        weights.length,
        files.size());
    ImmutableList<String> names = ImmutableList.copyOf(files);
    double[] shares = weights.clone();
    requireNonNull(which, "which");
    return withDefaults(
        configuration -> openCheckpoints(names, shares, which, configuration), output);
  }

  /**
   * Puts the average of a width together from a folder's snapshots, as {@link
   * Snapshots#reconstruct(Profile)} does.
   *
   * @param folder where the snapshots are
   * @param sigmaRel the width
   * @param time at which it is wanted; that of the last snapshot if empty
   * @param output the name of the single file that the result would be
   */
  public static SparkPlan postHoc(
      String folder, double sigmaRel, OptionalLong time, String output) {
    requireNonNull(folder, "folder");
    requireNonNull(time, "time");
    return withDefaults(
        configuration -> openSnapshots(folder, sigmaRel, time, configuration), output);
  }

  private static SparkPlan withDefaults(OpenInputs.Opener inputs, String output) {
    return new SparkPlan(inputs, output, DEFAULT_SHARD_BYTES, DEFAULT_TASK_BYTES);
  }

  /**
   * Returns this plan with another limit for the result's files: each is written by one task, so
   * smaller ones keep more executors busy. A tensor lies in one file, however large it is.
   *
   * @throws IllegalArgumentException if the limit is not positive
   */
  public SparkPlan withMaxShardBytes(long newLimit) {
    checkArgument(newLimit >= 1, "a shard must have room, but has %s bytes", newLimit);
    return new SparkPlan(inputs, output, newLimit, taskBytes);
  }

  /**
   * Returns this plan with another limit for what a task has in memory: one range of the result and
   * one of each input. Of very many inputs it takes more, as a range has at least 16,384 elements.
   *
   * @throws IllegalArgumentException if the limit is not positive
   */
  public SparkPlan withTaskBytes(long newLimit) {
    checkArgument(newLimit >= 1, "a task must have memory, but has %s bytes", newLimit);
    return new SparkPlan(inputs, output, maxShardBytes, newLimit);
  }

  OpenInputs open(Configuration configuration) throws IOException {
    return inputs.open(configuration);
  }

  long maxShardBytes() {
    return maxShardBytes;
  }

  long taskBytes() {
    return taskBytes;
  }

  /** Returns where the result goes. */
  Path folder(Configuration configuration) throws IOException {
    Path file = new Path(output);
    return file.getFileSystem(configuration).makeQualified(file).getParent();
  }

  /** Returns what the names of the result's files begin with. */
  String stem() {
    String name = new Path(output).getName();
    return name.endsWith(EXTENSION) ? name.substring(0, name.length() - EXTENSION.length()) : name;
  }

  private static OpenInputs openCheckpoints(
      List<String> files, double[] weights, String which, Configuration configuration)
      throws IOException {
    List<Checkpoint> open = new ArrayList<>();
    Runnable closing = () -> open.forEach(Checkpoint::close);
    try {
      List<MergePlan.Input> parts = new ArrayList<>();
      ImmutableList.Builder<StateDict<FileTensor>> states = ImmutableList.builder();
      for (String file : files) {
        Checkpoint checkpoint = Checkpoint.open(HadoopSource.open(new Path(file), configuration));
        open.add(checkpoint);
        StateDict<FileTensor> state = checkpoint.weights(which);
        states.add(state);
        parts.add(new MergePlan.Input(file, weights[parts.size()], state));
      }
      return new OpenInputs(MergePlan.average(parts), states.build(), closing);
    } catch (IOException | RuntimeException | Error e) {
      closing.run();
      throw e;
    }
  }

  private static OpenInputs openSnapshots(
      String folder, double sigmaRel, OptionalLong time, Configuration configuration)
      throws IOException {
    List<TensorFile> open = new ArrayList<>();
    Runnable closing = () -> open.forEach(TensorFile::close);
    try {
      Path path = new Path(folder);
      for (FileStatus each : HadoopSource.fileSystem(path, configuration).listStatus(path)) {
        if (each.isFile() && each.getPath().getName().endsWith(EXTENSION)) {
          open.add(TensorFile.open(HadoopSource.open(each.getPath(), configuration)));
        }
      }
      if (open.isEmpty()) {
        throw new FileNotFoundException(folder + " has no snapshots");
      }
      Map<Profile, StateDict<FileTensor>> states = new HashMap<>();
      open.forEach(file -> states.put(Snapshots.profile(file), file.stateDict()));
      Snapshots snapshots = Snapshots.of(java.nio.file.Path.of(folder), open);
      List<Profile> profiles = snapshots.profiles();
      long last = profiles.get(profiles.size() - 1).time();
      return new OpenInputs(
          snapshots.plan(Profile.ofSigmaRel(time.orElse(last), sigmaRel)),
          profiles.stream()
              .map(profile -> requireNonNull(states.get(profile)))
              .collect(toImmutableList()),
          snapshots::close);
    } catch (IOException | RuntimeException | Error e) {
      closing.run();
      throw e;
    }
  }
}
