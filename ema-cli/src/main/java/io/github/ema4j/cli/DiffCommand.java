package io.github.ema4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.merge.MergePlan;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares two checkpoints. */
@Command(
    name = "diff",
    description = {
      "Compares the weights of two checkpoints, or of one.",
      "Of each tensor that differs: how many elements have other bits, the largest |a - b| and"
          + " |a - b| / |b|, the largest distance in ULPs (values of the type in between), and the"
          + " drift, |a - b| / |b| of the whole tensor."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:There is no difference.",
      "1:A file was refused.",
      "3:There are differences."
    },
    footer = {
      "",
      "  ema diff before.pth after.safetensors",
      "  ema diff checkpoint.pth.tar checkpoint.pth.tar --of model,ema"
    })
@SuppressWarnings("NullAway.Init") // picocli sets what is required
final class DiffCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "A", description = "A checkpoint.")
  private Path a;

  @Parameters(index = "1", paramLabel = "B", description = "The checkpoint to compare it with.")
  private Path b;

  @Option(
      names = "--of",
      paramLabel = "WEIGHTS",
      split = ",",
      defaultValue = "model",
      description = {
        "Which weights: model, ema, or ema.NAME for one of several averages; two joined by a comma"
            + " for those of A and of B. ${DEFAULT-VALUE} if nothing is said."
      })
  private List<String> of;

  @Mixin private Reading reading;

  @Option(names = "--json", description = "Tell it as JSON, tensors without a difference too.")
  private boolean json;

  @Spec private CommandSpec spec;

  /** Two tensors to compare. */
  private record Pair(Entry<FileTensor> a, Entry<FileTensor> b) {

    static boolean isComparable(Entry<FileTensor> a, Entry<FileTensor> b) {
      boolean types =
          a.spec().type() == b.spec().type()
              || (a.spec().type().isFloating() && b.spec().type().isFloating());
      return types && a.spec().shape().equals(b.spec().shape());
    }
  }

  @Override
  public Integer call() throws Exception {
    if (of.size() > 2) {
      throw new ParameterException(spec.commandLine(), "--of takes one name, or two");
    }
    try (OpenFiles open = OpenFiles.of(List.of(a, b), reading)) {
      StateDict<FileTensor> left = open.all().get(0).weights(of.get(0));
      StateDict<FileTensor> right = open.all().get(1).weights(of.get(of.size() - 1));
      List<String> structure = new ArrayList<>();
      List<TensorDifference> differences = measure(pairs(left, right, structure));
      boolean same =
          structure.isEmpty() && differences.stream().allMatch(each -> each.differing() == 0);
      PrintWriter out = spec.commandLine().getOut();
      if (json) {
        Json.write(out, object -> write(same, structure, differences, object));
      } else {
        print(structure, differences, out);
        out.flush();
      }
      return same ? 0 : EmaCommand.DIFFERENT;
    }
  }

  /** Pairs tensors by name, and tells what does not pair. */
  private List<Pair> pairs(
      StateDict<FileTensor> left, StateDict<FileTensor> right, List<String> structure) {
    Map<String, Entry<FileTensor>> byName = new LinkedHashMap<>();
    right.entries().forEach(entry -> byName.put(entry.name(), entry));
    Map<String, String> names = new LinkedHashMap<>();
    try {
      MergePlan plan =
          MergePlan.average(
              List.of(
                  new MergePlan.Input("file " + a, 1, left),
                  new MergePlan.Input("file " + b, 1, right)));
      for (MergePlan.Entry entry : plan.entries()) {
        names.put(entry.name(), entry.terms().get(entry.terms().size() - 1).tensor());
      }
    } catch (IllegalArgumentException e) {
      String.valueOf(e.getMessage()).lines().skip(1).map(String::strip).forEach(structure::add);
      left.entries().forEach(entry -> names.put(entry.name(), entry.name()));
    }
    List<Pair> pairs = new ArrayList<>();
    for (Entry<FileTensor> entry : left.entries()) {
      Entry<FileTensor> other = byName.get(names.get(entry.name()));
      if (other != null && Pair.isComparable(entry, other)) {
        pairs.add(new Pair(entry, other));
      }
    }
    return pairs;
  }

  private List<TensorDifference> measure(List<Pair> pairs) throws IOException {
    long bytes = pairs.stream().mapToLong(pair -> pair.a.spec().bytes()).sum();
    List<TensorDifference> differences = new ArrayList<>();
    TensorDifference.Meter meter = new TensorDifference.Meter();
    try (ProgressBar progress = new ProgressBar(spec.commandLine().getErr(), "diff", bytes)) {
      for (Pair pair : pairs) {
        differences.add(meter.measure(pair.a, pair.b, progress));
      }
    }
    return differences;
  }

  private static double drift(List<TensorDifference> differences) {
    return TensorDifference.drift(
        differences.stream().mapToDouble(TensorDifference::squared).sum(),
        differences.stream().mapToDouble(TensorDifference::norm).sum());
  }

  private static void print(
      List<String> structure, List<TensorDifference> differences, PrintWriter out) {
    structure.forEach(line -> out.println(InspectCommand.printable(line)));
    List<TensorDifference> other =
        differences.stream().filter(each -> each.differing() > 0).toList();
    if (!other.isEmpty()) {
      Table table =
          new Table("tensor", ">differ", ">of", ">absolute", ">relative", ">ULPs", ">drift");
      for (TensorDifference each : other) {
        table.add(
            InspectCommand.printable(each.name()),
            String.format(Locale.ROOT, "%,d", each.differing()),
            String.format(Locale.ROOT, "%,d", each.elements()),
            number(each.absolute()),
            number(each.relative()),
            each.ulps() < 0 ? "-" : String.format(Locale.ROOT, "%,d", each.ulps()),
            number(each.drift()));
      }
      table.print(out, "");
    }
    out.printf(
        Locale.ROOT,
        "%,d of %,d tensors that both have differ, drift %s%n",
        other.size(),
        differences.size(),
        number(drift(differences)));
  }

  private static String number(double value) {
    return value == 0 ? "0" : String.format(Locale.ROOT, "%.3g", value);
  }

  private static void write(
      boolean same, List<String> structure, List<TensorDifference> differences, JsonGenerator json)
      throws IOException {
    json.writeBooleanField("same", same);
    json.writeArrayFieldStart("structure");
    for (String line : structure) {
      json.writeString(line);
    }
    json.writeEndArray();
    json.writeNumberField("drift", drift(differences));
    json.writeArrayFieldStart("tensors");
    for (TensorDifference each : differences) {
      json.writeStartObject();
      json.writeStringField("name", each.name());
      json.writeNumberField("elements", each.elements());
      json.writeNumberField("differing", each.differing());
      json.writeNumberField("absolute", each.absolute());
      json.writeNumberField("relative", each.relative());
      if (each.ulps() >= 0) {
        json.writeNumberField("ulps", each.ulps());
      }
      json.writeNumberField("drift", each.drift());
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
