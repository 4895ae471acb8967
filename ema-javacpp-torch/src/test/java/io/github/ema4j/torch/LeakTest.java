package io.github.ema4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.base.Splitter;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.torch.Nets.Net;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Looks at native memory over many updates, in a JVM whose heap cannot grow. */
@Tag("full")
@Tag("leak")
class LeakTest {
  private static final int UPDATES = 100_000;
  private static final int LOOKS = 10;

  /** What the process held at one look. */
  private record Look(long residentBytes, long pointers, long pointerBytes) {

    static Look parse(String line) {
      List<String> numbers = Splitter.on(' ').splitToList(line);
      return new Look(
          Long.parseLong(numbers.get(1)),
          Long.parseLong(numbers.get(2)),
          Long.parseLong(numbers.get(3)));
    }
  }

  @Test
  void aHundredThousandUpdatesLeaveNativeMemoryWhereItWas() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xms128m",
                "-Xmx128m",
                "-XX:+AlwaysPreTouch",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                LeakTest.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();

    List<Look> looks =
        output.lines().filter(line -> line.startsWith("look ")).map(Look::parse).toList();
    assertThat(looks).as(output).hasSize(LOOKS);
    Look first = looks.get(LOOKS / 2); // when the JVM itself has stopped growing
    Look last = looks.get(LOOKS - 1);
    assertThat(last.pointers).as(output).isEqualTo(first.pointers);
    assertThat(last.pointerBytes).as(output).isEqualTo(first.pointerBytes);
    assertThat(last.residentBytes - first.residentBytes).as(output).isLessThan(8 << 20);
  }

  /** Updates, and now and then uses, an average; prints a look after each tenth of the updates. */
  public static void main(String[] arguments) {
    Net net = Nets.seeded(1);
    List<String> looks = new ArrayList<>();
    try (ModelEma<Net> ema =
        ModelEma.builder(TorchAdapter.of(Net.class))
            .strategy(EmaStrategy.nameMatched(0.999))
            .module(Net::new)
            .build(net)) {
      for (int update = 1; update <= UPDATES; update++) {
        ema.update(net);
        if (update % 100 == 0) {
          ema.swapInto(net).close();
          ema.module();
          ema.snapshot().close();
          ema.update(net, Tensor.class, (average, model, decay) -> average.add(model));
        }
        if (update % (UPDATES / LOOKS) == 0) {
          System.gc();
          looks.add(
              "look "
                  + Pointer.physicalBytes()
                  + " "
                  + Pointer.totalCount()
                  + " "
                  + Pointer.totalBytes());
        }
      }
    }
    System.out.println(String.join("\n", looks));
  }
}
