package io.github.ema4j.cli;

import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** How results are written. */
final class Writing {
  private static final String INDEX = ".safetensors.index.json";

  /** What to say of a file that results are written to. */
  static final String FILES =
      "A safetensors file (*.safetensors), several and their index (*"
          + INDEX
          + "), or PyTorch's"
          + " (*.pth, *.pt, *.pth.tar, *.bin). It takes its place when all of it is on the disk.";

  @Option(
      names = "--max-shard",
      paramLabel = "SIZE",
      converter = Sizes.class,
      defaultValue = TensorFile.SHARD_BYTES + "",
      description = "How much a shard has at most, such as 2GB; 5GB if nothing is said.")
  private long maxShardBytes;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      converter = Sizes.class,
      description = {
        "How much memory pieces of tensors may take, such as 16M; a quarter of the machine's if"
            + " nothing is said. A few mebibytes are enough for any checkpoint."
      })
  private long memoryBytes = quarterOfTheMachine();

  private static long quarterOfTheMachine() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize() / 4
        : Runtime.getRuntime().maxMemory();
  }

  /** Returns how much memory pieces of tensors may take. */
  long memoryBytes() {
    return memoryBytes;
  }

  /**
   * Checks that something can be written to a file.
   *
   * @throws ParameterException if its name does not say of which kind it is, or it is an input
   */
  static void check(Path output, List<Path> inputs, CommandLine command) throws IOException {
    String name = output.getFileName().toString();
    boolean index = name.endsWith(INDEX);
    if (!index && !name.endsWith(".safetensors") && !isPth(output)) {
      throw new ParameterException(
          command,
          String.format(
              "'%s' does not say what kind of file to write; let it end in .safetensors, %s, .pth,"
                  + " .pt, .pth.tar or .bin",
              output, INDEX));
    }
    for (Path input : inputs) {
      if (Files.exists(output) && Files.exists(input) && Files.isSameFile(output, input)) {
        throw new ParameterException(
            command, "'" + output + "' is read, too; write to another file");
      }
    }
  }

  /** Tells whether a name asks for a file of PyTorch's. */
  static boolean isPth(Path output) {
    String name = output.getFileName().toString();
    return name.endsWith(".pth")
        || name.endsWith(".pt")
        || name.endsWith(".pth.tar")
        || name.endsWith(".bin");
  }

  /**
   * Writes the weights of a model to a file of the kind that its name says.
   *
   * @param notes what a safetensors file is to say beside them
   */
  void write(Path output, StateDict<?> weights, Map<String, String> notes) throws IOException {
    String name = output.getFileName().toString();
    if (isPth(output)) {
      PthWriter.of(PthLayout.STATE_DICT).model(weights).write(output);
    } else if (name.endsWith(INDEX)) {
      Path single = output.resolveSibling(name.substring(0, name.length() - INDEX.length()));
      TensorFile.writeShards(single, weights, notes, maxShardBytes);
    } else {
      TensorFile.write(output, weights, notes);
    }
  }
}
