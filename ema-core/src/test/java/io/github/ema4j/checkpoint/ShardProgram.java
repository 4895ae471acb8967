package io.github.ema4j.checkpoint;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** One of several processes that train the same model and each average a shard of it. */
final class ShardProgram {
  private static final int LARGEST = 1 << 16;

  private ShardProgram() {}

  /**
   * Runs, and tells the step of each checkpoint that is complete.
   *
   * @param args the folder; which shard; of how many; the last step; how many steps are between
   *     checkpoints; how many seconds to wait for other processes
   */
  public static void main(String[] args) throws IOException {
    int index = Integer.parseInt(args[1]);
    int count = Integer.parseInt(args[2]);
    StateDict<ArrayTensor> model = model();
    Duration patience = Duration.ofSeconds(Integer.parseInt(args[5]));
    Path folder = Path.of(args[0]);
    try (ModelEma<StateDict<ArrayTensor>> ema =
            average(ArrayBackend.adapter().shard(index, count), model);
        CheckpointFolder checkpoints =
            CheckpointFolder.keepingLatest(2, folder, index, count, patience)) {
      ema.resumeFromLatest(folder);
      train(model, ema, Long.parseLong(args[3]), Long.parseLong(args[4]), checkpoints);
    }
  }

  private static void train(
      StateDict<ArrayTensor> model,
      ModelEma<StateDict<ArrayTensor>> ema,
      long last,
      long between,
      CheckpointFolder checkpoints)
      throws IOException {
    while (ema.progress().time() < last) {
      step(model, ema);
      long time = ema.progress().time();
      if (time % between == 0) {
        checkpoints.save(ema);
        System.out.println(time);
      }
    }
  }

  static ModelEma<StateDict<ArrayTensor>> average(
      ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter, StateDict<ArrayTensor> model) {
    return ModelEma.builder(adapter).strategy(EmaStrategy.nameMatched(0.9)).build(model);
  }

  /** Returns a model of tensors of several sizes and types, two of which are tied. */
  static StateDict<ArrayTensor> model() {
    StateDict.Builder<ArrayTensor> model = StateDict.builder(ArrayBackend.instance());
    for (int size = LARGEST; size > 0; size /= 3) {
      model.parameter("layer" + size + ".weight", ArrayTensor.of(new float[size], size));
    }
    ArrayTensor tied = ArrayTensor.of(new double[LARGEST / 4], LARGEST / 4);
    return model
        .parameter("tied.in", tied)
        .counter("steps", ArrayTensor.of(new long[1]))
        .add("mean", ArrayTensor.of(new float[3], 3), Role.STATISTIC)
        .parameter("tied.out", tied)
        .build();
  }

  /** Trains by one step: each tensor depends on the one before it, and so on all of the model. */
  static void step(StateDict<ArrayTensor> model, ModelEma<StateDict<ArrayTensor>> ema) {
    double before = ema.progress().time() + 1;
    for (StateDict.Entry<ArrayTensor> entry : model.entries()) {
      Object array = entry.tensor().array();
      if (array instanceof float[] values) {
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) Math.fma(values[i], 0.9, Math.fma(before, 0.01, i % 7));
        }
        before = values[0];
      } else if (array instanceof double[] values) {
        for (int i = 0; i < values.length; i++) {
          values[i] = Math.fma(values[i], 0.9, Math.fma(before, 0.01, i % 7));
        }
        before = values[0];
      } else {
        ((long[]) array)[0]++;
      }
    }
    ema.update(model);
  }
}
