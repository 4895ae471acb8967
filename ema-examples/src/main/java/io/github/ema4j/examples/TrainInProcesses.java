package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.ModelEma;
import io.github.ema4j.checkpoint.CheckpointFolder;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;

/** One of several processes that train a model together and share out its average. */
public final class TrainInProcesses {

  private TrainInProcesses() {}

  /**
   * Trains a model, of which this process averages and saves its part.
   *
   * @param rank which process this is, in [0, processes)
   * @param folder where all processes keep their checkpoints
   * @param step trains the model by one step, the same in all processes
   * @throws IOException if a checkpoint cannot be written or read, or another process has died
   */
  public static <M> void train(
      ModelAdapter<M, ?> adapter,
      M model,
      int rank,
      int processes,
      Path folder,
      int steps,
      int stepsPerCheckpoint,
      Consumer<M> step)
      throws IOException {
    // tag::processes[]
    Duration patience = Duration.ofMinutes(10);
    try (ModelEma<M> ema =
            ModelEma.builder(adapter.shard(rank, processes))
                .strategy(nameMatched(0.99))
                .build(model);
        CheckpointFolder checkpoints =
            CheckpointFolder.keepingLatest(3, folder, rank, processes, patience)) {
      ema.resumeFromLatest(folder); // of however many processes
      for (long i = ema.progress().updates() + 1; i <= steps; i++) {
        step.accept(model);
        ema.update(model);
        if (i % stepsPerCheckpoint == 0) {
          checkpoints.saveInBackground(ema); // in all processes at the same steps
        }
      }
    }
    // end::processes[]
  }
}
