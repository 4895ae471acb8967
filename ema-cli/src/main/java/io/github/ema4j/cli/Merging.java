package io.github.ema4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.ema4j.StateDict;
import io.github.ema4j.merge.Merge;
import io.github.ema4j.merge.MergePlan;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What commands that compute weights have in common. */
final class Merging {

  private Merging() {}

  /**
   * Computes a plan's result into a file, and shows how far it is.
   *
   * @param notes what a safetensors file is to say beside the weights
   */
  static void write(
      MergePlan plan,
      List<? extends StateDict<?>> inputs,
      Path output,
      Map<String, String> notes,
      Writing writing,
      String what,
      PrintWriter err)
      throws IOException {
    try (ProgressBar progress = new ProgressBar(err, what, bytes(plan));
        StateDict<?> result = Merge.stateDict(plan, inputs, writing.memoryBytes(), progress)) {
      writing.write(output, result, notes);
    }
  }

  /** Returns how many bytes of tensors a result has. */
  static long bytes(MergePlan plan) {
    return plan.entries().stream().mapToLong(MergePlan.Entry::bytes).sum();
  }

  private static long summed(MergePlan plan) {
    return plan.entries().stream().filter(MergePlan.Entry::summed).count();
  }

  /** Tells a person what was written. */
  static void tell(MergePlan plan, Path output, PrintWriter out) {
    out.println(
        String.format(
            Locale.ROOT,
            "%s: %,d tensors averaged, %,d copied, %s",
            output,
            summed(plan),
            plan.entries().size() - summed(plan),
            Sizes.text(bytes(plan))));
    out.flush();
  }

  /** Tells a program the same. */
  static void writeResult(MergePlan plan, Path output, JsonGenerator json) throws IOException {
    json.writeStringField("output", output.toString());
    json.writeNumberField("averaged", summed(plan));
    json.writeNumberField("copied", plan.entries().size() - summed(plan));
    json.writeNumberField("bytes", bytes(plan));
  }
}
