package io.github.ema4j.simd;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Averages of float32 from float32.
 *
 * <p>Four vectors are loaded before one is stored: where averages and models lie alike within their
 * pages, a processor takes a load for one of what was just stored, and waits. The loops have no
 * branch for what they do, in which vectors would become objects.
 */
final class FloatVectors {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();

  private FloatVectors() {}

  static void lerp(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      float weight) {
    if (weight < 0.5f) {
      lerpFromAverage(average, averageAt, model, modelAt, n, weight);
    } else {
      lerpFromModel(average, averageAt, model, modelAt, n, 1 - weight);
    }
  }

  private static void lerpFromAverage(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      float weight) {
    FloatVector weights = FloatVector.broadcast(SPECIES, weight);
    int i = 0;
    for (; i <= n - 4 * LANES; i += 4 * LANES) {
      FloatVector e0 = load(average, averageAt, i);
      FloatVector e1 = load(average, averageAt, i + LANES);
      FloatVector e2 = load(average, averageAt, i + 2 * LANES);
      FloatVector e3 = load(average, averageAt, i + 3 * LANES);
      FloatVector m0 = load(model, modelAt, i);
      FloatVector m1 = load(model, modelAt, i + LANES);
      FloatVector m2 = load(model, modelAt, i + 2 * LANES);
      FloatVector m3 = load(model, modelAt, i + 3 * LANES);
      store(m0.sub(e0).fma(weights, e0), average, averageAt, i);
      store(m1.sub(e1).fma(weights, e1), average, averageAt, i + LANES);
      store(m2.sub(e2).fma(weights, e2), average, averageAt, i + 2 * LANES);
      store(m3.sub(e3).fma(weights, e3), average, averageAt, i + 3 * LANES);
    }
    for (; i <= n - LANES; i += LANES) {
      FloatVector e = load(average, averageAt, i);
      store(load(model, modelAt, i).sub(e).fma(weights, e), average, averageAt, i);
    }
    for (; i < n; i++) {
      float e = get(average, averageAt, i);
      set(average, averageAt, i, Math.fma(weight, get(model, modelAt, i) - e, e));
    }
  }

  private static void lerpFromModel(
      MemorySegment average, long averageAt, MemorySegment model, long modelAt, int n, float rest) {
    FloatVector rests = FloatVector.broadcast(SPECIES, rest);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector m = load(model, modelAt, i);
      store(m.sub(load(average, averageAt, i)).neg().fma(rests, m), average, averageAt, i);
    }
    for (int i = bound; i < n; i++) {
      float m = get(model, modelAt, i);
      set(average, averageAt, i, Math.fma(-(m - get(average, averageAt, i)), rest, m));
    }
  }

  static void weightedSum(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      float decay,
      float weight) {
    FloatVector decays = FloatVector.broadcast(SPECIES, decay);
    FloatVector weights = FloatVector.broadcast(SPECIES, weight);
    int i = 0;
    for (; i <= n - 4 * LANES; i += 4 * LANES) {
      FloatVector e0 = load(average, averageAt, i).mul(decays);
      FloatVector e1 = load(average, averageAt, i + LANES).mul(decays);
      FloatVector e2 = load(average, averageAt, i + 2 * LANES).mul(decays);
      FloatVector e3 = load(average, averageAt, i + 3 * LANES).mul(decays);
      FloatVector m0 = load(model, modelAt, i).mul(weights);
      FloatVector m1 = load(model, modelAt, i + LANES).mul(weights);
      FloatVector m2 = load(model, modelAt, i + 2 * LANES).mul(weights);
      FloatVector m3 = load(model, modelAt, i + 3 * LANES).mul(weights);
      store(e0.add(m0), average, averageAt, i);
      store(e1.add(m1), average, averageAt, i + LANES);
      store(e2.add(m2), average, averageAt, i + 2 * LANES);
      store(e3.add(m3), average, averageAt, i + 3 * LANES);
    }
    for (; i <= n - LANES; i += LANES) {
      FloatVector e = load(average, averageAt, i).mul(decays);
      store(e.add(load(model, modelAt, i).mul(weights)), average, averageAt, i);
    }
    for (; i < n; i++) {
      float e = get(average, averageAt, i);
      set(average, averageAt, i, e * decay + get(model, modelAt, i) * weight);
    }
  }

  /** Makes zeros of subnormal numbers, keeping their sign. */
  static void flush(MemorySegment average, long averageAt, int n) {
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector e = load(average, averageAt, i);
      store(e.mul(0f, e.abs().lt(Float.MIN_NORMAL)), average, averageAt, i);
    }
    for (int i = bound; i < n; i++) {
      float e = get(average, averageAt, i);
      if (Math.abs(e) < Float.MIN_NORMAL) {
        set(average, averageAt, i, e * 0);
      }
    }
  }

  private static FloatVector load(MemorySegment segment, long begin, int index) {
    return FloatVector.fromMemorySegment(SPECIES, segment, begin + bytes(index), LITTLE_ENDIAN);
  }

  private static void store(FloatVector vector, MemorySegment segment, long begin, int index) {
    vector.intoMemorySegment(segment, begin + bytes(index), LITTLE_ENDIAN);
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
