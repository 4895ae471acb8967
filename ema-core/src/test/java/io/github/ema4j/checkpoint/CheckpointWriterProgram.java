package io.github.ema4j.checkpoint;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;

/** Saves checkpoint after checkpoint, until it is killed; tells when each is complete. */
final class CheckpointWriterProgram {
  static final int ELEMENTS = 1 << 18;

  private CheckpointWriterProgram() {}

  /**
   * Runs.
   *
   * @param args the folder; how many checkpoints to save; {@code background} or {@code here}
   */
  public static void main(String[] args) throws IOException {
    float[] weights = new float[ELEMENTS];
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("w", ArrayTensor.of(weights, ELEMENTS))
            .build();
    int count = Integer.parseInt(args[1]);
    boolean inBackground = args[2].equals("background");
    try (ModelEma<StateDict<ArrayTensor>> ema = average(model);
        CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(3, Path.of(args[0]))) {
      ema.resumeFromLatest(Path.of(args[0]));
      for (int i = 0; i < count; i++) {
        Arrays.fill(weights, (float) (ema.progress().time() + 1));
        ema.update(model);
        if (inBackground) {
          checkpoints.saveInBackground(ema);
          checkpoints.await();
        } else {
          checkpoints.save(ema);
        }
        System.out.println(ema.progress().time());
      }
    }
  }

  /** Returns an average that is its model: every element is the number of updates. */
  static ModelEma<StateDict<ArrayTensor>> average(StateDict<ArrayTensor> model) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0))
        .build(model);
  }
}
