package io.github.ema4j.cli;

import static com.google.common.collect.ImmutableList.toImmutableList;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.PthFile;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.SavedAverage;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.merge.Merge;
import io.github.ema4j.merge.MergePlan;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a checkpoint in another format. */
@Command(
    name = "convert",
    description = {
      "Writes the weights of a checkpoint to a file of another format, bit for bit.",
      "A model with its average is written as both: under model_state_dict and ema_state_dict."
          + " From safetensors to safetensors, in one file or in shards, names and metadata stay as"
          + " they are; elsewhere, what is no tensor is left out."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "  ema convert model.pth model.safetensors",
      "  ema convert model.safetensors model.safetensors.index.json --max-shard 2GB"
    })
@SuppressWarnings("NullAway.Init") // picocli sets what is required
final class ConvertCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "IN", description = "The checkpoint.")
  private Path input;

  @Parameters(index = "1", paramLabel = "OUT", description = Writing.FILES)
  private Path output;

  @Option(
      names = "--of",
      paramLabel = "WEIGHTS",
      description = "Write these alone: model, ema, or ema.NAME for one of several averages.")
  private @Nullable String of;

  @Mixin private Reading reading;
  @Mixin private Writing writing;

  @Option(names = "--json", description = "Tell the result as JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    Writing.check(output, List.of(input), spec.commandLine());
    try (Checkpoint checkpoint = reading.open(input)) {
      if (of != null) {
        write(checkpoint.weights(of), Map.of());
      } else if (!PthFile.isOne(input) && !Writing.isPth(output)) {
        try (TensorFile whole = TensorFile.open(input)) {
          write(whole.stateDict(), whole.notes());
        }
      } else {
        writeAll(checkpoint);
      }
    }
    return 0;
  }

  private void writeAll(Checkpoint checkpoint) throws IOException {
    Map<String, SavedAverage> averages = checkpoint.averages();
    if (averages.size() > 1) {
      throw new CheckpointException(
          input, "it has several averages; say by --of which weights to write");
    }
    Optional<StateDict<FileTensor>> model = checkpoint.model();
    Optional<StateDict<FileTensor>> average =
        averages.values().stream().map(SavedAverage::weights).findFirst();
    if (model.isPresent() && average.isPresent()) {
      writeBoth(model.get(), average.get());
    } else {
      write(model.or(() -> average).orElseThrow(), Map.of());
    }
  }

  private void write(StateDict<FileTensor> weights, Map<String, String> notes) throws IOException {
    write(new MergePlan(copies("", 0, weights)), List.of(weights), notes);
  }

  private void write(MergePlan plan, List<StateDict<FileTensor>> inputs, Map<String, String> notes)
      throws IOException {
    Merging.write(plan, inputs, output, notes, writing, "convert", spec.commandLine().getErr());
    tell(plan);
  }

  private void writeBoth(StateDict<FileTensor> model, StateDict<FileTensor> average)
      throws IOException {
    List<StateDict<FileTensor>> both = List.of(model, average);
    MergePlan plan =
        new MergePlan(
            ImmutableList.<MergePlan.Entry>builder()
                .addAll(copies("model_state_dict.", 0, model))
                .addAll(copies("ema_state_dict.", 1, average))
                .build());
    if (!Writing.isPth(output)) {
      write(plan, both, Map.of());
      return;
    }
    try (ProgressBar progress =
            new ProgressBar(spec.commandLine().getErr(), "convert", Merging.bytes(plan));
        StateDict<?> first = copy(new MergePlan(copies("", 0, model)), both, progress);
        StateDict<?> second = copy(new MergePlan(copies("", 1, average)), both, progress)) {
      PthWriter.of(PthLayout.PLAIN).model(first).average(second).write(output);
    }
    tell(plan);
  }

  private StateDict<?> copy(
      MergePlan plan, List<StateDict<FileTensor>> inputs, ProgressBar progress) {
    return Merge.stateDict(plan, inputs, writing.memoryBytes(), progress);
  }

  private static ImmutableList<MergePlan.Entry> copies(
      String prefix, int input, StateDict<FileTensor> state) {
    return state.entries().stream()
        .map(
            entry ->
                new MergePlan.Entry(
                    prefix + entry.name(),
                    entry.role(),
                    entry.spec(),
                    false,
                    ImmutableList.of(
                        new MergePlan.Term(input, entry.name(), entry.spec().type(), 1))))
        .collect(toImmutableList());
  }

  private void tell(MergePlan plan) throws IOException {
    if (json) {
      Json.write(spec.commandLine().getOut(), object -> Merging.writeResult(plan, output, object));
    } else {
      Merging.tell(plan, output, spec.commandLine().getOut());
    }
  }
}
