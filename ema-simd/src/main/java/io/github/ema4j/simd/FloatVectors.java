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

  static void lerp(MemorySegment average, MemorySegment model, int n, float weight) {
    if (weight < 0.5f) {
      lerpFromAverage(average, model, n, weight);
    } else {
      lerpFromModel(average, model, n, 1 - weight);
    }
  }

  private static void lerpFromAverage(
      MemorySegment average, MemorySegment model, int n, float weight) {
    FloatVector weights = FloatVector.broadcast(SPECIES, weight);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector e = load(average, i);
      load(model, i).sub(e).fma(weights, e).intoMemorySegment(average, bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      float e = get(average, i);
      set(average, i, Math.fma(weight, get(model, i) - e, e));
    }
  }

  private static void lerpFromModel(MemorySegment average, MemorySegment model, int n, float rest) {
    FloatVector rests = FloatVector.broadcast(SPECIES, rest);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector m = load(model, i);
      m.sub(load(average, i))
          .neg()
          .fma(rests, m)
          .intoMemorySegment(average, bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      float m = get(model, i);
      set(average, i, Math.fma(-(m - get(average, i)), rest, m));
    }
  }

  static void weightedSum(
      MemorySegment average, MemorySegment model, int n, float decay, float weight) {
    FloatVector decays = FloatVector.broadcast(SPECIES, decay);
    FloatVector weights = FloatVector.broadcast(SPECIES, weight);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      load(average, i)
          .mul(decays)
          .add(load(model, i).mul(weights))
          .intoMemorySegment(average, bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      set(average, i, get(average, i) * decay + get(model, i) * weight);
    }
  }

  private static FloatVector load(MemorySegment segment, int index) {
    return FloatVector.fromMemorySegment(SPECIES, segment, bytes(index), LITTLE_ENDIAN);
  }

  private static float get(MemorySegment segment, int index) {
    return segment.get(JAVA_FLOAT_UNALIGNED, bytes(index));
  }

  private static void set(MemorySegment segment, int index, float value) {
    segment.set(JAVA_FLOAT_UNALIGNED, bytes(index), value);
  }

  private static long bytes(int index) {
    return (long) index * Float.BYTES;
  }
}
