package io.github.ema4j.benchmarks;

import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.SplittableRandom;

/** Values like those of weights: normal numbers around 0, a pattern that repeats. */
final class Values {
  private static final int PERIOD = 4_096;
  private static final double SCALE = 0.02;

  /** The upper half of a small number, and how many follow it that are small too. */
  private static final int NUDGED = 0x3000;

  private static final int BFLOATS = 3_001;

  private final float[] floats = new float[PERIOD];
  private final short[] bfloats = new short[PERIOD];

  /** Draws values. */
  Values(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < PERIOD; i++) {
      floats[i] = (float) (SCALE * random.nextGaussian());
      bfloats[i] = (short) (Float.floatToRawIntBits(floats[i]) >>> 16);
    }
  }

  /** Overwrites an element with a value that the count decides, another one for each. */
  static void nudge(Buffer buffer, int index, int count) {
    if (buffer instanceof FloatBuffer floats) {
      floats.put(index, Float.intBitsToFloat(NUDGED << Short.SIZE | count % BFLOATS << 4));
    } else if (buffer instanceof ShortBuffer shorts) {
      shorts.put(index, (short) (NUDGED + count % BFLOATS));
    }
  }

  /** Overwrites a float32 or bfloat16 tensor. */
  void fill(HostMemory memory, ElementType type, long elements) {
    for (long at = 0; at < elements; ) {
      Buffer segment = memory.segmentAt(at);
      int index = memory.indexAt(at);
      int run = (int) Math.min(PERIOD, Math.min(memory.remainingAt(at), elements - at));
      switch (type) {
        case F32 -> ((FloatBuffer) segment).put(index, floats, 0, run);
        case BF16 -> ((ShortBuffer) segment).put(index, bfloats, 0, run);
        default -> throw new IllegalArgumentException("no values of type " + type);
      }
      at += run;
    }
  }
}
