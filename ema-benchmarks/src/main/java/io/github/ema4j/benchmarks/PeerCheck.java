package io.github.ema4j.benchmarks;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.TensorBackend;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.List;

/** Sees that what is measured beside ema4j averages too: to be fast at something else is easy. */
final class PeerCheck {
  private static final ModelShape SHAPE = ModelShape.equal("check", 2, 37);
  private static final double DECAY = 0.9;

  /** Of values around .02, of which a bfloat16 has eight bits. */
  private static final double TOLERANCE = 2e-5;

  private PeerCheck() {}

  /**
   * Runs each peer once.
   *
   * @throws IllegalStateException if one did not move the averages as far as it should
   */
  static <T> void run(Framework<?, T> framework, ElementType type) {
    TensorBackend<T> backend = framework.adapter().backend();
    framework
        .peers(type)
        .forEach(
            (name, peer) -> {
              List<T> models = SHAPE.tensors(backend, type, 1);
              List<T> averages = SHAPE.tensors(backend, ElementType.F32, 2);
              List<T> before = SHAPE.tensors(backend, ElementType.F32, 2);
              peer.update(averages, models, DECAY);
              for (int i = 0; i < averages.size(); i++) {
                check(
                    framework.name() + ": " + name,
                    floats(backend, before.get(i)),
                    floats(backend, models.get(i)),
                    floats(backend, averages.get(i)));
              }
              List.of(models, averages, before).forEach(backend::release);
            });
  }

  private static void check(String name, float[] before, float[] model, float[] after) {
    for (int i = 0; i < after.length; i++) {
      double expected = DECAY * before[i] + (1 - DECAY) * model[i];
      checkState(
          Math.abs(after[i] - expected) < TOLERANCE,
          "%s made %s of the average %s and the model %s",
          name,
          after[i],
          before[i],
          model[i]);
    }
  }

  private static <T> float[] floats(TensorBackend<T> backend, T tensor) {
    HostMemory memory = backend.memory(tensor);
    Buffer buffer = memory.segmentAt(0);
    float[] floats = new float[(int) backend.describe(tensor).elements()];
    for (int i = 0; i < floats.length; i++) {
      int index = memory.indexAt(i);
      floats[i] =
          buffer instanceof FloatBuffer singles
              ? singles.get(index)
              : Float.intBitsToFloat(((ShortBuffer) buffer).get(index) << Short.SIZE);
    }
    return floats;
  }
}
