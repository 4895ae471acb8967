package io.github.ema4j.cli;

import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.merge.MergePlan;
import io.github.ema4j.merge.MergeWeights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Averages checkpoints. */
@Command(
    name = "average",
    description = {
      "Averages checkpoints of one model.",
      "Tensors pair by name; every difference in names, shapes and types is an error. Sums are in"
          + " double, in the order of the files, rounded once to the type in the first file. Tensors"
          + " of integers, such as counters, are those of the last file."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "  ema average epoch-8.pth epoch-9.pth epoch-10.pth -o swa.safetensors",
      "  ema average epoch-*.safetensors --decay 0.9 -o ema.safetensors"
    })
@SuppressWarnings("NullAway.Init") // picocli sets what is required
final class AverageCommand implements Callable<Integer> {
  @Parameters(paramLabel = "FILE", arity = "1..*", description = "The checkpoints, oldest first.")
  private List<Path> files;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "OUT",
      description = Writing.FILES)
  private Path output;

  @ArgGroup private @Nullable Weights weights;

  @Option(
      names = "--of",
      paramLabel = "WEIGHTS",
      defaultValue = "model",
      description = {
        "Which weights of each file: model, ema, or ema.NAME for one of several averages;"
            + " ${DEFAULT-VALUE} if nothing is said."
      })
  private String of;

  @Mixin private Reading reading;
  @Mixin private Writing writing;

  @Option(names = "--json", description = "Tell the result as JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  /** How much each file weighs. */
  private static final class Weights {
    @SuppressWarnings("UnusedVariable") // it says what holds without it
    @Option(names = "--uniform", description = "All files weigh the same, as if nothing is said.")
    private boolean uniform;

    @Option(
        names = "--decay",
        paramLabel = "D",
        description = {
          "Files weigh as in an exponential moving average that starts from the first and keeps the"
              + " share D of itself at each of the others."
        })
    private @Nullable Double decay;

    @Option(
        names = "--weights",
        paramLabel = "W",
        split = ",",
        description = "A weight for each file, joined by commas; they are divided by their sum.")
    private double @Nullable [] given;

    private double[] of(int files, CommandSpec spec) {
      if (decay != null) {
        return MergeWeights.decayed(files, decay);
      }
      if (given == null) {
        return MergeWeights.uniform(files);
      }
      if (given.length != files) {
        throw new ParameterException(
            spec.commandLine(),
            String.format("--weights has %s weights for %s files", given.length, files));
      }
      return MergeWeights.normalized(given);
    }
  }

  @Override
  public Integer call() throws Exception {
    Writing.check(output, files, spec.commandLine());
    Weights chosen = weights == null ? new Weights() : weights;
    double[] each = chosen.of(files.size(), spec);
    try (OpenFiles open = OpenFiles.of(files, reading)) {
      List<StateDict<FileTensor>> states = new ArrayList<>();
      List<MergePlan.Input> inputs = new ArrayList<>();
      for (Checkpoint checkpoint : open.all()) {
        StateDict<FileTensor> state = checkpoint.weights(of);
        inputs.add(new MergePlan.Input("file " + checkpoint.path(), each[states.size()], state));
        states.add(state);
      }
      MergePlan plan = MergePlan.average(inputs);
      Merging.write(
          plan, states, output, Map.of(), writing, "average", spec.commandLine().getErr());
      tell(plan, each);
    }
    return 0;
  }

  private void tell(MergePlan plan, double[] each) throws Exception {
    if (!json) {
      Merging.tell(plan, output, spec.commandLine().getOut());
      return;
    }
    Json.write(
        spec.commandLine().getOut(),
        object -> {
          Merging.writeResult(plan, output, object);
          object.writeArrayFieldStart("inputs");
          for (int i = 0; i < each.length; i++) {
            object.writeStartObject();
            object.writeStringField("file", files.get(i).toString());
            object.writeNumberField("weight", each[i]);
            object.writeEndObject();
          }
          object.writeEndArray();
        });
  }
}
