package io.github.ema4j.examples;

import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import io.github.ema4j.checkpoint.CheckpointFolder;
import io.github.ema4j.posthoc.PostHocEma;
import io.github.ema4j.posthoc.Snapshots;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/** Averages of several widths from one training. */
public final class ChooseWidthLater {

  private ChooseWidthLater() {}

  /** Returns the width, of a few, whose average makes the least loss after a training. */
  @SuppressWarnings("try") // the swap is there to be closed
  public static <M> double bestSigmaRel(
      ModelAdapter<M, ?> adapter, M model, int steps, Consumer<M> train, ToDoubleFunction<M> loss) {
    double best = 0;
    double least = Double.POSITIVE_INFINITY;
    // tag::posthoc[]
    try (PostHocEma<M> postHoc =
            PostHocEma.builder(adapter).snapshotEvery(steps / 10).build(model);
        ModelEma<M> ema = ModelEma.builder(adapter).build(model)) {
      for (int step = 0; step < steps; step++) {
        train.accept(model);
        postHoc.update(model);
      }
      for (double sigmaRel : new double[] {0.04, 0.06, 0.08, 0.1, 0.12, 0.15}) {
        ema.load(postHoc.reconstruct(sigmaRel));
        try (Swap swap = ema.swapInto(model)) {
          double now = loss.applyAsDouble(model);
          best = now < least ? sigmaRel : best;
          least = Math.min(now, least);
        }
      }
    }
    // end::posthoc[]
    return best;
  }

  /** Trains up to a step, keeping snapshots in a folder; goes on where an earlier call stopped. */
  public static <M> void train(
      ModelAdapter<M, ?> adapter, M model, Path folder, int steps, Consumer<M> train)
      throws IOException {
    // tag::folder[]
    try (PostHocEma<M> postHoc =
            PostHocEma.builder(adapter)
                .snapshotEvery(100)
                .folder(folder.resolve("snapshots"))
                .build(model);
        CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(2, folder)) {
      postHoc.resumeFromLatest(folder);
      while (postHoc.time() < steps) {
        train.accept(model);
        postHoc.update(model);
        if (postHoc.time() % 250 == 0) {
          checkpoints.save(postHoc);
        }
      }
    }
    // end::folder[]
  }

  /** Puts the average of a width into a model, from the snapshots that a training kept. */
  public static <M> void release(ModelAdapter<M, ?> adapter, M model, Path folder, double sigmaRel)
      throws IOException {
    // tag::later[]
    try (Snapshots snapshots = Snapshots.open(folder.resolve("snapshots"));
        ModelEma<M> ema = ModelEma.builder(adapter).build(model)) {
      ema.load(snapshots.reconstruct(sigmaRel));
      ema.copyTo(model);
    }
    // end::later[]
  }
}
