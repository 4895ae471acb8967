package io.github.ema4j.benchmarks;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleFunction;

/**
 * Measures how fast a model and its average are saved and resumed, in turns with writing and
 * reading as many bytes by a {@link FileChannel}, which neither looks at them nor keeps them. Both
 * force what they write to the disk; resuming verifies the file. Before a file is read, the system
 * is asked to drop it from its cache by GNU's {@code dd}, where there is one: a process that
 * resumes has not just written the file. Then both are read again, from the cache. Which of the two
 * is read first changes from round to round.
 */
public final class CheckpointThroughput {
  private static final int BUFFER_BYTES = 8 << 20;
  private static final int TENSOR_ELEMENTS = 16 << 20;

  private final Path folder;
  private final Path checkpoint;
  private final Path plain;
  private final long bytes;
  private boolean dropped = true;

  /** What one round took, in seconds. */
  private record Round(
      double save,
      double write,
      double resume,
      double read,
      double resumeCached,
      double readCached) {}

  private interface Work {
    void run() throws IOException;
  }

  private CheckpointThroughput(Path folder, long bytes) {
    this.folder = folder;
    this.checkpoint = folder.resolve("checkpoint.safetensors");
    this.plain = folder.resolve("plain");
    this.bytes = bytes;
  }

  /**
   * Runs.
   *
   * @param args a folder on the disk that is measured, with room for two checkpoints; how many MiB
   *     a checkpoint has, 4096 by default, for which the JVM needs as much heap and half a
   *     gigabyte; how many rounds, 5 by default
   */
  public static void main(String[] args) throws IOException {
    long mebibytes = args.length > 1 ? Long.parseLong(args[1]) : 4096;
    int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 5;
    System.out.print(report(Path.of(args[0]), mebibytes << 20, rounds));
  }

  /** Returns what was measured, as lines of text; leaves nothing in the folder. */
  static String report(Path folder, long bytes, int rounds) throws IOException {
    Path own = Files.createTempDirectory(folder, "throughput");
    return new CheckpointThroughput(own, bytes).measure(rounds);
  }

  private String measure(int rounds) throws IOException {
    StateDict<ArrayTensor> model = model(bytes / 2);
    List<Round> measured = new ArrayList<>();
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(0.999))
            .build(model)) {
      for (int i = 0; i < rounds; i++) {
        measured.add(round(ema, i % 2 == 0));
      }
    } finally {
      deleteFiles();
      Files.delete(folder);
    }
    return line("save", measured, Round::save, Round::write)
        + line("resume", measured, Round::resume, Round::read)
        + line("resume from the cache", measured, Round::resumeCached, Round::readCached)
        + (dropped ? "" : "the files were in the system's cache each time they were read\n");
  }

  private Round round(ModelEma<?> ema, boolean oursFirst) throws IOException {
    deleteFiles();
    double save = seconds(() -> ema.save(checkpoint));
    double write = seconds(this::write);
    drop(checkpoint);
    drop(plain);
    Work resuming = () -> ema.resumeFrom(checkpoint);
    Work reading = this::read;
    double first = seconds(oursFirst ? resuming : reading);
    double second = seconds(oursFirst ? reading : resuming);
    return new Round(
        save,
        write,
        oursFirst ? first : second,
        oursFirst ? second : first,
        seconds(resuming),
        seconds(reading));
  }

  private void deleteFiles() throws IOException {
    Files.deleteIfExists(checkpoint);
    Files.deleteIfExists(plain);
  }

  private static StateDict<ArrayTensor> model(long bytes) {
    Random random = new Random(1);
    StateDict.Builder<ArrayTensor> model = StateDict.builder(ArrayBackend.instance());
    for (long left = bytes / Float.BYTES; left > 0; left -= TENSOR_ELEMENTS) {
      float[] values = new float[(int) Math.min(TENSOR_ELEMENTS, left)];
      for (int k = 0; k < values.length; k++) {
        values[k] = random.nextFloat() - 0.5f;
      }
      model.parameter("layer" + left + ".weight", ArrayTensor.of(values, values.length));
    }
    return model.build();
  }

  private static double seconds(Work work) throws IOException {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) / 1e9;
  }

  private void write() throws IOException {
    byte[] noise = new byte[BUFFER_BYTES];
    new Random(1).nextBytes(noise);
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES).put(noise);
    try (FileChannel channel =
        FileChannel.open(plain, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (long left = bytes; left > 0; left -= buffer.limit()) {
        buffer.clear().limit((int) Math.min(left, BUFFER_BYTES));
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
      }
      channel.force(true);
    }
  }

  private void read() throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    try (FileChannel channel = FileChannel.open(plain, StandardOpenOption.READ)) {
      while (channel.read(buffer.clear()) >= 0) {
        // What is read is not used.
      }
    }
  }

  private void drop(Path file) {
    try {
      dropped &=
          new ProcessBuilder("dd", "if=" + file, "iflag=nocache", "count=0")
                  .redirectErrorStream(true)
                  .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                  .start()
                  .onExit()
                  .join()
                  .exitValue()
              == 0;
    } catch (IOException e) {
      dropped = false;
    }
  }

  private String line(
      String what,
      List<Round> rounds,
      ToDoubleFunction<Round> ours,
      ToDoubleFunction<Round> plain) {
    return String.format(
        "%s: %.0f MB/s; plain: %.0f MB/s; ratio, round by round, median of %s: %.2f%n",
        what,
        bytes / median(rounds, ours) / 1e6,
        bytes / median(rounds, plain) / 1e6,
        rounds.size(),
        median(rounds, round -> plain.applyAsDouble(round) / ours.applyAsDouble(round)));
  }

  private static double median(List<Round> rounds, ToDoubleFunction<Round> value) {
    return rounds.stream().mapToDouble(value).sorted().toArray()[rounds.size() / 2];
  }
}
