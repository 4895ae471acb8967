package io.github.ema4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.PthFile;
import io.github.ema4j.checkpoint.SavedAverage;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Tells what is in a checkpoint. */
@Command(
    name = "inspect",
    description = {
      "Tells what is in a checkpoint: metadata, and each tensor's name, type, shape and bytes.",
      "Whether its bytes are those that were written is checked first, where the file tells."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false)
@SuppressWarnings("NullAway.Init") // picocli sets what is required
final class InspectCommand implements Callable<Integer> {
  private static final int LONG_VALUE = 200;

  @Parameters(paramLabel = "FILE", description = "The checkpoint.")
  private Path file;

  @Mixin private Reading reading;

  @Option(names = "--json", description = "Tell it as JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    try (Checkpoint checkpoint = reading.open(file)) {
      PrintWriter out = spec.commandLine().getOut();
      if (json) {
        Json.write(out, object -> write(checkpoint, object));
      } else {
        print(checkpoint, out);
        out.flush();
      }
    }
    return 0;
  }

  /** Returns all weights by what {@code --of} calls them. */
  private static Map<String, StateDict<FileTensor>> weights(Checkpoint checkpoint) {
    Map<String, StateDict<FileTensor>> all = new LinkedHashMap<>();
    checkpoint.model().ifPresent(model -> all.put("model", model));
    checkpoint.averages().forEach((name, average) -> all.put(called(name), average.weights()));
    return all;
  }

  private static String called(String average) {
    return average.isEmpty() ? "ema" : "ema." + average;
  }

  private String format() throws IOException {
    if (PthFile.isOne(file)) {
      return isZip(file) ? "PyTorch" : "PyTorch before 1.6";
    }
    return file.toString().endsWith(".index.json") ? "safetensors in shards" : "safetensors";
  }

  private static boolean isZip(Path file) throws IOException {
    try (InputStream bytes = Files.newInputStream(file)) {
      return bytes.read() == 'P' && bytes.read() == 'K';
    }
  }

  private String checksum(Checkpoint checkpoint) {
    return !checkpoint.isVerifiable() ? "none" : reading.verifies() ? "ok" : "not compared";
  }

  private void print(Checkpoint checkpoint, PrintWriter out) throws IOException {
    out.printf(
        "%s: %s, %s, checksum: %s%n",
        file, format(), Sizes.text(Files.size(file)), checksum(checkpoint));
    if (!checkpoint.metadata().isEmpty()) {
      out.println("metadata");
      Table metadata = new Table("", "");
      new TreeMap<>(checkpoint.metadata())
          .forEach((key, value) -> metadata.add(printable(key), printable(value)));
      metadata.print(out, "  ");
    }
    weights(checkpoint).forEach((name, state) -> print(name, state, out));
  }

  private static void print(String name, StateDict<FileTensor> state, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "%s: %,d tensors, %,d elements, %s%n",
        name,
        state.entries().size(),
        state.entries().stream().mapToLong(entry -> entry.spec().elements()).sum(),
        Sizes.text(state.entries().stream().mapToLong(entry -> entry.spec().bytes()).sum()));
    Table tensors = new Table("", "", "", ">");
    for (Entry<FileTensor> entry : state.entries()) {
      TensorSpec tensor = entry.spec();
      tensors.add(
          printable(entry.name()),
          tensor.type().name(),
          tensor.shape().toString(),
          Sizes.text(tensor.bytes()));
    }
    tensors.print(out, "  ");
  }

  /** Returns what a file says as text that does nothing to a terminal, on one line. */
  static String printable(String text) {
    String shown = text.replaceAll("\\p{Cntrl}", "?");
    return shown.length() <= LONG_VALUE ? shown : shown.substring(0, LONG_VALUE) + "…";
  }

  private void write(Checkpoint checkpoint, JsonGenerator json) throws IOException {
    json.writeStringField("file", file.toString());
    json.writeStringField("format", format());
    json.writeNumberField("bytes", Files.size(file));
    json.writeStringField("checksum", checksum(checkpoint));
    json.writeObjectFieldStart("metadata");
    for (Map.Entry<String, String> note : checkpoint.metadata().entrySet()) {
      json.writeStringField(note.getKey(), note.getValue());
    }
    json.writeEndObject();
    json.writeObjectFieldStart("averages");
    for (Map.Entry<String, SavedAverage> average : checkpoint.averages().entrySet()) {
      if (average.getValue().progress().isPresent()) {
        json.writeObjectFieldStart(called(average.getKey()));
        json.writeNumberField("updates", average.getValue().progress().get().updates());
        json.writeNumberField("time", average.getValue().progress().get().time());
        json.writeEndObject();
      }
    }
    json.writeEndObject();
    json.writeObjectFieldStart("weights");
    for (Map.Entry<String, StateDict<FileTensor>> each : weights(checkpoint).entrySet()) {
      json.writeArrayFieldStart(each.getKey());
      for (Entry<FileTensor> entry : each.getValue().entries()) {
        json.writeStartObject();
        json.writeStringField("name", entry.name());
        json.writeStringField("type", entry.spec().type().name());
        json.writeFieldName("shape");
        json.writeArray(entry.spec().shape().toArray(), 0, entry.spec().shape().length());
        json.writeNumberField("bytes", entry.spec().bytes());
        json.writeEndObject();
      }
      json.writeEndArray();
    }
    json.writeEndObject();
  }
}
