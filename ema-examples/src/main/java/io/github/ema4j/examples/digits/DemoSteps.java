package io.github.ema4j.examples.digits;

import io.github.ema4j.AverageListener;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.SplittableRandom;

/**
 * The demo's training, step by step and without a word, for those who measure what a step takes.
 * Not thread-safe.
 */
public final class DemoSteps implements AutoCloseable {
  private final DemoSession session;
  private final List<Images> batches;
  private int next;

  private DemoSteps(DemoSession session, List<Images> batches) {
    this.session = session;
    this.batches = batches;
  }

  /**
   * Starts a training.
   *
   * @param settings what stands above the built-in {@code demo.conf}, under {@code demo} and {@code
   *     ema.average}
   */
  public static DemoSteps start(Properties settings) {
    DemoConfig config = DemoConfig.read(settings, Path.of(""));
    DigitsData data = DigitsData.read(config.data());
    Images images = data.training().shuffled(new SplittableRandom(config.seed()));
    return new DemoSteps(
        DemoBackends.named(config.backend())
            .start(config, images.side(), data.classes(), new AverageListener() {}),
        images.batches(config.batchSize()));
  }

  /** Takes a step on the next batch, and updates the average. */
  public void step() {
    session.train(batches.get(next));
    next = (next + 1) % batches.size();
  }

  /** Frees network, optimiser and average. */
  @Override
  public void close() {
    session.close();
  }
}
