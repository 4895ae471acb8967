package io.github.ema4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.constraint.UnitNormConstraint;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.memory.deallocation.DeallocatorService;
import org.nd4j.linalg.factory.Nd4j;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Updates for long, in a JVM whose heap takes all its memory at the start. */
@Tag("full")
@Tag("leak")
class Dl4jLeakTest {
  private static final Logger LOG = LoggerFactory.getLogger(Dl4jLeakTest.class);
  private static final int UPDATES = 100_000;
  private static final long TOLERATED_GROWTH = 4 << 20;
  private static final long SETTLED_NANOS = 2_000_000_000L;

  /**
   * What the process and the libraries say about memory.
   *
   * @param resident bytes of the process in the machine's memory
   * @param buffers how many buffers of ND4J are alive
   * @param bytes how many bytes JavaCPP has allocated
   * @param pointers how many allocations of JavaCPP are alive
   */
  private record Memory(long resident, long buffers, long bytes, long pointers) {

    /** Returns the memory after everything unreachable has been freed. */
    static Memory now() throws ReflectiveOperationException {
      Field referenceMap =
          DeallocatorService.class.getDeclaredField("referenceMap"); // it has no getter
      referenceMap.setAccessible(true);
      Map<?, ?> buffers = (Map<?, ?>) referenceMap.get(Nd4j.getDeallocatorService());
      long last = -1;
      for (long since = System.nanoTime(); System.nanoTime() - since < SETTLED_NANOS; ) {
        System.gc();
        long alive = buffers.size() + Pointer.totalCount();
        since = alive == last ? since : System.nanoTime(); // freed by threads of their own
        last = alive;
      }
      return new Memory(
          Pointer.physicalBytes(), buffers.size(), Pointer.totalBytes(), Pointer.totalCount());
    }

    static Memory parse(String line) {
      String[] numbers = line.split(" ", -1);
      return new Memory(
          Long.parseLong(numbers[0]),
          Long.parseLong(numbers[1]),
          Long.parseLong(numbers[2]),
          Long.parseLong(numbers[3]));
    }

    String line() {
      return resident + " " + buffers + " " + bytes + " " + pointers;
    }
  }

  /** The program that is measured. */
  static final class Training {
    private final MultiLayerNetwork network;
    private final EmaListener<MultiLayerNetwork> listener;

    private Training(MultiLayerNetwork network) {
      this.network = network;
      listener =
          new EmaListener<>(
              network,
              ModelEma.builder(Dl4jAdapter.multiLayer()).strategy(EmaStrategy.nameMatched(0.999)));
    }

    /** Prints the memory before and after many updates. */
    public static void main(String[] args) throws ReflectiveOperationException {
      NeuralNetConfiguration.Builder configuration = Nets.configuration(1);
      if (Boolean.parseBoolean(args[0])) {
        configuration.constrainWeights(new UnitNormConstraint(1));
      }
      Training training = new Training(Nets.network(configuration));
      training.run(UPDATES / 4); // what is made once, is made
      System.out.println(Memory.now().line());
      training.run(UPDATES);
      System.out.println(Memory.now().line());
      training.listener.close();
    }

    @SuppressWarnings("try") // the swap is open for as long as it is not closed
    private void run(int updates) {
      for (int i = 0; i < updates; i++) {
        network.params().putScalar(0, i % 7);
        listener.iterationDone(network, i, 0);
        if (i % 1000 == 0) {
          try (Swap swap = listener.ema().swapInto(network)) {
            listener.ema().module();
          }
        }
      }
    }
  }

  @ParameterizedTest(name = "constraints: {0}")
  @ValueSource(booleans = {false, true})
  void manyUpdatesAndSwapsLeaveMemoryWhereItWas(boolean constrained) throws Exception {
    List<String> lines = output(constrained);
    Memory before = Memory.parse(lines.get(0));
    Memory after = Memory.parse(lines.get(1));
    String figures = before + " -> " + after;
    LOG.warn("{} updates, constraints {}: {}", UPDATES, constrained, figures);
    assertThat(after.buffers).as(figures).isLessThanOrEqualTo(before.buffers);
    assertThat(after.bytes).as(figures).isLessThanOrEqualTo(before.bytes);
    assertThat(after.pointers).as(figures).isLessThanOrEqualTo(before.pointers);
    assertThat(after.resident - before.resident).as(figures).isLessThan(TOLERATED_GROWTH);
  }

  private static List<String> output(boolean constrained) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xms256m",
                "-Xmx256m",
                "-XX:+AlwaysPreTouch",
                "-XX:+UseSerialGC",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                System.getProperty("java.class.path"),
                Training.class.getName(),
                String.valueOf(constrained))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    List<String> lines =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
            .lines()
            .toList();
    assertThat(process.waitFor()).as("exit status").isZero();
    assertThat(lines).hasSize(2);
    return lines;
  }
}
