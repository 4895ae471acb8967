package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.ModelEma;
import io.github.ema4j.checkpoint.CheckpointFolder;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;

/** A training that goes on where the process before it ended. */
public final class ResumeTraining {

  private ResumeTraining() {}

  /**
   * Trains a model, which ends with the averaged weights.
   *
   * @param folder where checkpoints are kept
   * @param step trains the model by one step
   * @throws IOException if a checkpoint cannot be written or read
   */
  public static <M> void train(
      ModelAdapter<M, ?> adapter,
      M model,
      Path folder,
      int steps,
      int stepsPerCheckpoint,
      Consumer<M> step)
      throws IOException {
    // tag::resume[]
    try (ModelEma<M> ema = ModelEma.builder(adapter).strategy(nameMatched(0.99)).build(model);
        CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(3, folder)) {
      ema.resumeFromLatest(folder); // model, average and progress, if there is a checkpoint
      for (long i = ema.progress().updates() + 1; i <= steps; i++) {
        step.accept(model);
        ema.update(model);
        if (i % stepsPerCheckpoint == 0) {
          checkpoints.saveInBackground(ema); // waits for the copy only
        }
      }
      ema.copyTo(model);
    }
    // end::resume[]
  }
}
