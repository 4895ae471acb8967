package io.github.ema4j.simd;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Averages of float32 from float32. */
final class FloatVectors {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();

  private FloatVectors() {}

  static void lerp(MemorySegment average, long averageAt, MemorySegment model, long modelAt, int n, float weight) {
    if (weight < 0.5f) {
      lerpFromAverage(average, averageAt, model, modelAt, n, weight);
    } else {
      lerpFromModel(average, averageAt, model, modelAt, n, 1 - weight);
    }
  }

  private static void lerpFromAverage(
      MemorySegment average, long averageAt, MemorySegment model, long modelAt, int n, float weight) {
    FloatVector weights = FloatVector.broadcast(SPECIES, weight);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector e = load(average, averageAt, i);
      load(model, modelAt, i).sub(e).fma(weights, e).intoMemorySegment(average, averageAt + bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      float e = get(average, averageAt, i);
      set(average, averageAt, i, Math.fma(weight, get(model, modelAt, i) - e, e));
    }
  }

  private static void lerpFromModel(MemorySegment average, long averageAt, MemorySegment model, long modelAt, int n, float rest) {
    FloatVector rests = FloatVector.broadcast(SPECIES, rest);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector m = load(model, modelAt, i);
      m.sub(load(average, averageAt, i))
          .neg()
          .fma(rests, m)
          .intoMemorySegment(average, averageAt + bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      float m = get(model, modelAt, i);
      set(average, averageAt, i, Math.fma(-(m - get(average, averageAt, i)), rest, m));
    }
  }

  static void weightedSum(
      MemorySegment average, long averageAt, MemorySegment model, long modelAt, int n, float decay, float weight) {
    FloatVector decays = FloatVector.broadcast(SPECIES, decay);
    FloatVector weights = FloatVector.broadcast(SPECIES, weight);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      load(average, averageAt, i)
          .mul(decays)
          .add(load(model, modelAt, i).mul(weights))
          .intoMemorySegment(average, averageAt + bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      set(average, averageAt, i, get(average, averageAt, i) * decay + get(model, modelAt, i) * weight);
    }
  }

  private static FloatVector load(MemorySegment segment, long begin, int index) {
    return FloatVector.fromMemorySegment(SPECIES, segment, begin + bytes(index), LITTLE_ENDIAN);
  }

  private static float get(MemorySegment segment, long begin, int index) {
    return segment.get(JAVA_FLOAT_UNALIGNED, begin + bytes(index));
  }

  private static void set(MemorySegment segment, long begin, int index, float value) {
    segment.set(JAVA_FLOAT_UNALIGNED, begin + bytes(index), value);
  }

  private static long bytes(int index) {
    return (long) index * Float.BYTES;
  }
}
