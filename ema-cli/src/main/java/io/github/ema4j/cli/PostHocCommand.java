package io.github.ema4j.cli;

import io.github.ema4j.StateDict;
import io.github.ema4j.merge.MergePlan;
import io.github.ema4j.posthoc.PostHoc;
import io.github.ema4j.posthoc.Profile;
import io.github.ema4j.posthoc.Snapshots;
import io.github.ema4j.schedule.PowerFunction;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Puts post-hoc averages together. */
@Command(
    name = "posthoc",
    description = {
      "Puts the average of any width together from the snapshots that a training left in a folder"
          + " (Karras et al. 2024).",
      "The misfit that is told is how far the closest combination of the snapshots stays from the"
          + " average that was asked for: 0.01 is a hundredth amiss."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "  ema posthoc snapshots --sigma-rel 0.1 -o average.safetensors"})
@SuppressWarnings("NullAway.Init") // picocli sets what is required
final class PostHocCommand implements Callable<Integer> {
  @Parameters(paramLabel = "FOLDER", description = "Where the snapshots are.")
  private Path folder;

  @Option(
      names = "--sigma-rel",
      required = true,
      paramLabel = "S",
      description = "The width, relative to the length of the training, such as 0.1.")
  private double sigmaRel;

  @Option(
      names = "--at",
      paramLabel = "T",
      description =
          "The time at which it is the average; that of the last snapshot if nothing is said.")
  private @Nullable Long time;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "OUT",
      description = Writing.FILES)
  private Path output;

  @Mixin private Writing writing;

  @Option(names = "--json", description = "Tell the result as JSON, with the snapshots' weights.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    Writing.check(output, List.of(), spec.commandLine());
    try (Snapshots snapshots = Snapshots.open(folder)) {
      List<Profile> profiles = snapshots.profiles();
      if (profiles.isEmpty()) {
        throw new IllegalStateException(folder + ": there are no snapshots in it");
      }
      long at = time == null ? profiles.get(profiles.size() - 1).time() : time;
      Profile target = Profile.ofSigmaRel(at, sigmaRel);
      MergePlan plan = snapshots.plan(target);
      try (ProgressBar progress =
              new ProgressBar(spec.commandLine().getErr(), "posthoc", Merging.bytes(plan));
          StateDict<?> average = snapshots.streamed(target, writing.memoryBytes(), progress)) {
        writing.write(output, average, Map.of());
      }
      tell(profiles, target, plan);
    }
    return 0;
  }

  private void tell(List<Profile> profiles, Profile target, MergePlan plan) throws Exception {
    double misfit = PostHoc.misfit(profiles, target);
    if (!json) {
      Merging.tell(plan, output, spec.commandLine().getOut());
      spec.commandLine()
          .getOut()
          .println(
              String.format(
                  Locale.ROOT,
                  "at %,d from %,d snapshots, misfit %.2g",
                  target.time(),
                  profiles.size(),
                  misfit));
      spec.commandLine().getOut().flush();
      return;
    }
    double[] weights = PostHoc.weights(profiles, target);
    Json.write(
        spec.commandLine().getOut(),
        object -> {
          Merging.writeResult(plan, output, object);
          object.writeNumberField("time", target.time());
          object.writeNumberField("misfit", misfit);
          object.writeArrayFieldStart("snapshots");
          for (int i = 0; i < weights.length; i++) {
            object.writeStartObject();
            object.writeNumberField("time", profiles.get(i).time());
            object.writeNumberField(
                "sigmaRel", PowerFunction.ofGamma(profiles.get(i).gamma()).sigmaRel());
            object.writeNumberField("weight", weights[i]);
            object.writeEndObject();
          }
          object.writeEndArray();
        });
  }
}
