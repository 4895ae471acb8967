package io.github.ema4j.simd;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/** Averages of float64 from float64. */
final class DoubleVectors {
  private static final VectorSpecies<Double> SPECIES = DoubleVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();

  private DoubleVectors() {}

  static void lerp(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      double weight) {
    if (weight < 0.5) {
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
      double weight) {
    DoubleVector weights = DoubleVector.broadcast(SPECIES, weight);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      DoubleVector e = load(average, averageAt, i);
      load(model, modelAt, i)
          .sub(e)
          .fma(weights, e)
          .intoMemorySegment(average, averageAt + bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      double e = get(average, averageAt, i);
      set(average, averageAt, i, Math.fma(weight, get(model, modelAt, i) - e, e));
    }
  }

  private static void lerpFromModel(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      double rest) {
    DoubleVector rests = DoubleVector.broadcast(SPECIES, rest);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      DoubleVector m = load(model, modelAt, i);
      m.sub(load(average, averageAt, i))
          .neg()
          .fma(rests, m)
          .intoMemorySegment(average, averageAt + bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      double m = get(model, modelAt, i);
      set(average, averageAt, i, Math.fma(-(m - get(average, averageAt, i)), rest, m));
    }
  }

  static void weightedSum(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      double decay,
      double weight) {
    DoubleVector decays = DoubleVector.broadcast(SPECIES, decay);
    DoubleVector weights = DoubleVector.broadcast(SPECIES, weight);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      load(average, averageAt, i)
          .mul(decays)
          .add(load(model, modelAt, i).mul(weights))
          .intoMemorySegment(average, averageAt + bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      set(
          average,
          averageAt,
          i,
          get(average, averageAt, i) * decay + get(model, modelAt, i) * weight);
    }
  }

  /** Makes zeros of subnormal numbers, keeping their sign. */
  static void flush(MemorySegment average, long averageAt, int n) {
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      DoubleVector e = load(average, averageAt, i);
      e.mul(0, e.abs().lt(Double.MIN_NORMAL))
          .intoMemorySegment(average, averageAt + bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      double e = get(average, averageAt, i);
      if (Math.abs(e) < Double.MIN_NORMAL) {
        set(average, averageAt, i, e * 0);
      }
    }
  }

  private static DoubleVector load(MemorySegment segment, long begin, int index) {
    return DoubleVector.fromMemorySegment(SPECIES, segment, begin + bytes(index), LITTLE_ENDIAN);
  }

  private static double get(MemorySegment segment, long begin, int index) {
    return segment.get(JAVA_DOUBLE_UNALIGNED, begin + bytes(index));
  }

  private static void set(MemorySegment segment, long begin, int index, double value) {
    segment.set(JAVA_DOUBLE_UNALIGNED, begin + bytes(index), value);
  }

  private static long bytes(int index) {
    return (long) index * Double.BYTES;
  }
}
