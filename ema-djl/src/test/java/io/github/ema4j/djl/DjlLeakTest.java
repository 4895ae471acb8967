package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Model;
import ai.djl.nn.Block;
import com.google.common.base.Splitter;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes as many updates as a training, and looks at what the process holds. */
@Tag("full")
@Tag("leak")
class DjlLeakTest {
  private static final Logger LOG = LoggerFactory.getLogger(DjlLeakTest.class);
  private static final Path STATM = Path.of("/proc/self/statm");
  private static final int UPDATES = 100_000;
  private static final int PAGE_BYTES = 4096;
  private static final int LOOKS = 10;

  /**
   * So often may it take more: the JVM's compiler takes and gives back some for the first minutes.
   * A leak takes as much each time.
   */
  private static final int ROUNDS = 10;

  /** 42 bytes an update: one array that leaks in each takes more. */
  private static final long ALLOWED_BYTES = 4L << 20;

  @Test
  void memoryStaysWhereItWas() throws InterruptedException {
    assumeTrue(Files.exists(STATM), "this system does not tell what is resident");
    try (Model model = Nets.initialized(1);
        ModelEma<Block> ema =
            ModelEma.builder(DjlAdapter.instance())
                .strategy(EmaStrategy.nameMatched(0.999))
                .module(Nets::network)
                .canary(false)
                .build(model.getBlock())) {
      // Where gradients are recorded; one thread, as each has native memory of its own
      Nets.onAnotherThread(() -> run(ema, model.getBlock()));
    }
  }

  private static void run(ModelEma<Block> ema, Block block) {
    use(ema, block, 1);
    int arrays = Nets.openArrays();
    long before = leastResident(ema, block);
    long grown = Long.MAX_VALUE;
    for (int round = 0; round < ROUNDS && Math.abs(grown) > ALLOWED_BYTES; round++) {
      long after = leastResident(ema, block);
      grown = after - before;
      before = after;
      LOG.warn("{} updates: {} KiB more resident, {} in all", UPDATES, grown >> 10, after >> 10);
    }
    assertThat(Nets.openArrays()).isEqualTo(arrays);
    assertThat(Math.abs(grown)).isLessThanOrEqualTo(ALLOWED_BYTES);
  }

  /** Makes all updates, and returns the least of what was resident meanwhile. */
  private static long leastResident(ModelEma<Block> ema, Block block) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < LOOKS; i++) {
      use(ema, block, UPDATES / LOOKS);
      least = Math.min(least, resident());
    }
    return least;
  }

  private static void use(ModelEma<Block> ema, Block block, int updates) {
    for (int i = 0; i < updates; i++) {
      ema.update(block);
      if (i % 100 == 0) {
        ema.swapInto(block).close();
        ema.module();
        ema.copyTo(block, 0.5);
      }
    }
  }

  private static long resident() {
    try {
      System.gc();
      return Long.parseLong(Splitter.on(' ').splitToList(Files.readString(STATM)).get(1))
          * PAGE_BYTES;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
