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

  static void lerp(MemorySegment average, MemorySegment model, int n, double weight) {
    if (weight < 0.5) {
      lerpFromAverage(average, model, n, weight);
    } else {
      lerpFromModel(average, model, n, 1 - weight);
    }
  }

  private static void lerpFromAverage(
      MemorySegment average, MemorySegment model, int n, double weight) {
    DoubleVector weights = DoubleVector.broadcast(SPECIES, weight);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      DoubleVector e = load(average, i);
      load(model, i).sub(e).fma(weights, e).intoMemorySegment(average, bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      double e = get(average, i);
      set(average, i, Math.fma(weight, get(model, i) - e, e));
    }
  }

  private static void lerpFromModel(
      MemorySegment average, MemorySegment model, int n, double rest) {
    DoubleVector rests = DoubleVector.broadcast(SPECIES, rest);
    int bound = SPECIES.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      DoubleVector m = load(model, i);
      m.sub(load(average, i))
          .neg()
          .fma(rests, m)
          .intoMemorySegment(average, bytes(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      double m = get(model, i);
      set(average, i, Math.fma(-(m - get(average, i)), rest, m));
    }
  }

  static void weightedSum(
      MemorySegment average, MemorySegment model, int n, double decay, double weight) {
    DoubleVector decays = DoubleVector.broadcast(SPECIES, decay);
    DoubleVector weights = DoubleVector.broadcast(SPECIES, weight);
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

  private static DoubleVector load(MemorySegment segment, int index) {
    return DoubleVector.fromMemorySegment(SPECIES, segment, bytes(index), LITTLE_ENDIAN);
  }

  private static double get(MemorySegment segment, int index) {
    return segment.get(JAVA_DOUBLE_UNALIGNED, bytes(index));
  }

  private static void set(MemorySegment segment, int index, double value) {
    segment.set(JAVA_DOUBLE_UNALIGNED, bytes(index), value);
  }

  private static long bytes(int index) {
    return (long) index * Double.BYTES;
  }
}
