package io.github.ema4j.spark;

import static com.google.common.collect.ImmutableList.toImmutableList;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.StreamedShard;
import io.github.ema4j.checkpoint.StreamedShard.Item;
import io.github.ema4j.merge.MergePlan;
import io.github.ema4j.spark.ShardTask.Tensor;
import io.github.ema4j.spark.ShardTask.Term;
import java.io.IOException;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Averages checkpoints on a cluster.
 *
 * <pre>{@code
 * SparkPlan plan =
 *     SparkPlan.average(files, MergeWeights.uniform(files.size()), "hdfs:///out/average.safetensors");
 * String index = SparkAverages.average(spark, plan);
 * }</pre>
 *
 * <p>The result is a safetensors checkpoint in several files with an index, and its tensors have
 * the bits that {@link io.github.ema4j.merge.Merge} gives them on one machine. Each file is written
 * by one task. Files of an attempt that failed, or lost against a faster one, are deleted; the
 * index, which names the others, is written last.
 */
public final class SparkAverages {

  private SparkAverages() {}

  /**
   * Runs a plan, and waits until it is done. The files must be where all executors reach them:
   * {@code file:} is a folder that all of them share.
   *
   * <p>If it fails, what was there before is as it was.
   *
   * @return the index of the result, which is to be opened
   * @throws IOException if a file cannot be read or written by the driver
   * @throws CheckpointException if an input is not what it should be, or has a tensor whose
   *     elements do not lie in order, or the result's name is none that an index may have
   * @throws IllegalArgumentException if inputs differ in more than values, with every difference
   * @throws RuntimeException what Spark throws if a task has failed too often
   */
  public static String average(JavaSparkContext spark, SparkPlan plan) throws IOException {
    Configuration configuration = spark.hadoopConfiguration();
    try (OpenInputs inputs = plan.open(configuration)) {
      List<StreamedShard> layouts =
          StreamedShard.split(items(inputs.plan()), ImmutableMap.of(), plan.maxShardBytes());
      Files files = new Files();
      List<ShardTask> tasks = tasks(inputs, layouts, files);
      ShardJob job =
          new ShardJob(
              UUID.randomUUID().toString().substring(0, 8),
              ImmutableList.copyOf(files.indices.keySet()),
              plan.folder(configuration).toString(),
              plan.stem(),
              tasks.size(),
              plan.taskBytes(),
              new SerializableConfiguration(configuration));
      ShardCommit commit = new ShardCommit(job);
      commit.requireNames(layouts);
      try {
        return commit.commit(layouts, run(spark, job, tasks)).toString();
      } finally {
        commit.deleteLeftovers();
      }
    }
  }

  private static List<WrittenShard> run(
      JavaSparkContext spark, ShardJob job, List<ShardTask> tasks) {
    Broadcast<ShardJob> common = spark.broadcast(job);
    try {
      List<WrittenShard> written = // each task is a partition of its own
          spark.parallelize(tasks, tasks.size()).map(new ShardFunction(common)).collect();
      return written.stream().sorted(Comparator.comparing(WrittenShard::number)).toList();
    } finally {
      common.destroy();
    }
  }

  private static List<Item> items(MergePlan plan) {
    return plan.entries().stream().map(entry -> new Item(entry.name(), entry.spec())).toList();
  }

  /** The files that tasks are to open, each once. */
  private static final class Files {
    private final Map<String, Integer> indices = new LinkedHashMap<>();

    int index(FileTensor tensor) {
      HadoopSource source = (HadoopSource) tensor.source().orElseThrow();
      return indices.computeIfAbsent(source.uri(), uri -> indices.size());
    }
  }

  private static List<ShardTask> tasks(
      OpenInputs inputs, List<StreamedShard> layouts, Files files) {
    List<Map<String, FileTensor>> tensors = new ArrayList<>();
    for (StateDict<FileTensor> state : inputs.states()) {
      Map<String, FileTensor> byName = new HashMap<>();
      state.entries().forEach(entry -> byName.put(entry.name(), entry.tensor()));
      tensors.add(byName);
    }
    List<ShardTask> tasks = new ArrayList<>();
    int next = 0; // shards have the entries in their order
    for (StreamedShard layout : layouts) {
      List<MergePlan.Entry> entries =
          inputs.plan().entries().subList(next, next + layout.items().size());
      tasks.add(
          new ShardTask(
              tasks.size(),
              entries.stream()
                  .map(entry -> tensor(entry, tensors, files))
                  .collect(toImmutableList())));
      next += entries.size();
    }
    return tasks;
  }

  private static Tensor tensor(
      MergePlan.Entry entry, List<Map<String, FileTensor>> tensors, Files files) {
    ImmutableList.Builder<Term> terms = ImmutableList.builder();
    for (MergePlan.Term term : entry.terms()) {
      FileTensor tensor = requireNonNull(tensors.get(term.input()).get(term.tensor()));
      requireInOrder(term.tensor(), tensor);
      terms.add(
          new Term(
              files.index(tensor),
              tensor.offset(),
              tensor.order() == ByteOrder.BIG_ENDIAN,
              term.type(),
              term.weight()));
    }
    return new Tensor(
        entry.name(),
        entry.role(),
        entry.spec().type(),
        ImmutableList.copyOf(entry.spec().shape().asList()),
        entry.summed(),
        terms.build());
  }

  private static void requireInOrder(String name, FileTensor tensor) {
    if (!tensor.isRowMajor()) {
      throw new CheckpointException(
          tensor.file(),
          name,
          String.format(
              "its elements do not lie one after another, but by the strides %s, and would be read"
                  + " one by one; write the file anew with 'ema convert'",
              tensor.spec().strides()),
          null);
    }
  }
}
