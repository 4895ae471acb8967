package io.github.ema4j.spark;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.merge.MergeWeights;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import org.apache.hadoop.util.StringUtils.TraditionalBinaryPrefix;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/**
 * The program that {@code spark-submit} runs: {@code average FILE…} and {@code posthoc FOLDER} of
 * the command {@code ema}, on a cluster.
 *
 * <p>Exits with 0 if the result is there, with 1 if something failed, with 2 if an argument is
 * wrong.
 */
@Command(
    name = "ema-spark",
    description = "Averages checkpoints on Apache Spark.",
    subcommands = {EmaSpark.Average.class, EmaSpark.PostHoc.class},
    mixinStandardHelpOptions = true)
public final class EmaSpark {

  @Spec private @Nullable CommandSpec command;
  private @Nullable JavaSparkContext spark;

  private EmaSpark() {}

  /** Runs the program. */
  public static void main(String[] args) {
    EmaSpark program = new EmaSpark();
    int code = program.run(args);
    if (program.spark != null) {
      program.spark.stop();
    }
    if (code != 0) {
      System.exit(code);
    }
  }

  /** Runs the program on the context that there is, or a new one, which it leaves. */
  static int runHere(String... args) {
    return new EmaSpark().run(args);
  }

  private int run(String... args) {
    CommandLine program = new CommandLine(this);
    program.registerConverter(
        Bytes.class, text -> new Bytes(TraditionalBinaryPrefix.string2long(text)));
    program.setExecutionExceptionHandler(EmaSpark::tell);
    return program.execute(args);
  }

  private int run(SparkPlan plan, Target target) throws IOException {
    spark =
        new JavaSparkContext(
            SparkContext.getOrCreate(new SparkConf().setIfMissing("spark.app.name", "ema")));
    String index =
        SparkAverages.average(
            spark,
            plan.withMaxShardBytes(target.maxShard.count).withTaskBytes(target.taskMemory.count));
    requireNonNull(command).commandLine().getOut().println(index);
    return CommandLine.ExitCode.OK;
  }

  /** Tells what a user can mend in a line; all else with where it came from. */
  private static int tell(Exception e, CommandLine command, CommandLine.ParseResult arguments)
      throws Exception {
    if (e instanceof IOException
        || e instanceof CheckpointException
        || e instanceof IllegalArgumentException) {
      command.getErr().println("ema-spark: " + e.getMessage());
      return CommandLine.ExitCode.SOFTWARE;
    }
    throw e;
  }

  /** A number of bytes, such as {@code 64m}. */
  record Bytes(long count) {}

  /** What both have in common. */
  static final class Target {
    @Option(
        names = {"-o", "--output"},
        required = true,
        description = "The name of the single file that the result would be.")
    String output = "";

    @Option(
        names = "--max-shard",
        defaultValue = "1g",
        description = "How large the result's files are at most: ${DEFAULT-VALUE} by default.")
    Bytes maxShard = new Bytes(SparkPlan.DEFAULT_SHARD_BYTES);

    @Option(
        names = "--task-memory",
        defaultValue = "64m",
        description = "What a task has in memory at most: ${DEFAULT-VALUE} by default.")
    Bytes taskMemory = new Bytes(SparkPlan.DEFAULT_TASK_BYTES);
  }

  /** Averages checkpoints. */
  @Command(name = "average", description = "Averages checkpoints.", mixinStandardHelpOptions = true)
  static final class Average implements Callable<Integer> {
    @ParentCommand private @Nullable EmaSpark program;
    @Mixin private final Target target = new Target();

    @Parameters(arity = "1..*", paramLabel = "FILE", description = "What is averaged, in order.")
    private List<String> files = new ArrayList<>();

    @Option(
        names = "--weights",
        split = ",",
        paramLabel = "W",
        description = "One for each file; they are divided by their sum.")
    private double @Nullable [] weights;

    @Option(names = "--uniform", description = "A plain mean: the default.")
    private boolean uniform;

    @Option(
        names = "--decay",
        paramLabel = "D",
        description = "As an exponential moving average over the files would weigh them.")
    private @Nullable Double decay;

    @Option(
        names = "--of",
        defaultValue = "model",
        paramLabel = "WHICH",
        description = "model, ema, or ema.NAME: which weights are averaged.")
    private String which = "model";

    @Override
    public Integer call() throws IOException {
      return requireNonNull(program)
          .run(SparkPlan.average(files, weights(), which, target.output), target);
    }

    private double[] weights() {
      int given = (weights == null ? 0 : 1) + (decay == null ? 0 : 1) + (uniform ? 1 : 0);
      checkArgument(given <= 1, "--weights, --uniform and --decay exclude one another");
      if (weights != null) {
        return MergeWeights.normalized(weights);
      }
      return decay == null
          ? MergeWeights.uniform(files.size())
          : MergeWeights.decayed(files.size(), decay);
    }
  }

  /** Puts a post-hoc average together. */
  @Command(
      name = "posthoc",
      description = "Puts the average of a width together from snapshots.",
      mixinStandardHelpOptions = true)
  static final class PostHoc implements Callable<Integer> {
    @ParentCommand private @Nullable EmaSpark program;
    @Mixin private final Target target = new Target();

    @Parameters(paramLabel = "FOLDER", description = "Where the snapshots are.")
    private String folder = "";

    @Option(names = "--sigma-rel", required = true, paramLabel = "S", description = "The width.")
    private double sigmaRel;

    @Option(
        names = "--at",
        paramLabel = "T",
        description = "The time at which it is wanted; that of the last snapshot by default.")
    private @Nullable Long time;

    @Override
    public Integer call() throws IOException {
      OptionalLong at = time == null ? OptionalLong.empty() : OptionalLong.of(time);
      return requireNonNull(program)
          .run(SparkPlan.postHoc(folder, sigmaRel, at, target.output), target);
    }
  }
}
