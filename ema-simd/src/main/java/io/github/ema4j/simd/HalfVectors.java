package io.github.ema4j.simd;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Averages of float32 from bfloat16 and float16, which float32 holds exactly. */
final class HalfVectors {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Integer> INTS =
      VectorSpecies.of(int.class, FLOATS.vectorShape());
  private static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));
  private static final int LANES = FLOATS.length();

  private HalfVectors() {}

  static void lerp(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      boolean bfloat,
      float weight) {
    if (weight < 0.5f) {
      lerpFromAverage(average, averageAt, model, modelAt, n, bfloat, weight);
    } else {
      lerpFromModel(average, averageAt, model, modelAt, n, bfloat, 1 - weight);
    }
  }

  private static void lerpFromAverage(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      boolean bfloat,
      float weight) {
    FloatVector weights = FloatVector.broadcast(FLOATS, weight);
    int bound = FLOATS.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector e = averages(average, averageAt, i);
      FloatVector m = bfloat ? bfloats(model, modelAt, i) : halves(model, modelAt, i);
      m.sub(e).fma(weights, e).intoMemorySegment(average, averageAt + at(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      float e = average.get(JAVA_FLOAT_UNALIGNED, averageAt + at(i));
      float m = get(model, modelAt, i, bfloat);
      average.set(JAVA_FLOAT_UNALIGNED, averageAt + at(i), Math.fma(weight, m - e, e));
    }
  }

  private static void lerpFromModel(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      boolean bfloat,
      float rest) {
    FloatVector rests = FloatVector.broadcast(FLOATS, rest);
    int bound = FLOATS.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector m = bfloat ? bfloats(model, modelAt, i) : halves(model, modelAt, i);
      m.sub(averages(average, averageAt, i))
          .neg()
          .fma(rests, m)
          .intoMemorySegment(average, averageAt + at(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      float e = average.get(JAVA_FLOAT_UNALIGNED, averageAt + at(i));
      float m = get(model, modelAt, i, bfloat);
      average.set(JAVA_FLOAT_UNALIGNED, averageAt + at(i), Math.fma(-(m - e), rest, m));
    }
  }

  static void weightedSum(
      MemorySegment average,
      long averageAt,
      MemorySegment model,
      long modelAt,
      int n,
      boolean bfloat,
      float decay,
      float weight) {
    FloatVector decays = FloatVector.broadcast(FLOATS, decay);
    FloatVector weights = FloatVector.broadcast(FLOATS, weight);
    int bound = FLOATS.loopBound(n);
    for (int i = 0; i < bound; i += LANES) {
      FloatVector m = bfloat ? bfloats(model, modelAt, i) : halves(model, modelAt, i);
      averages(average, averageAt, i)
          .mul(decays)
          .add(m.mul(weights))
          .intoMemorySegment(average, averageAt + at(i), LITTLE_ENDIAN);
    }
    for (int i = bound; i < n; i++) {
      float e = average.get(JAVA_FLOAT_UNALIGNED, averageAt + at(i));
      average.set(
          JAVA_FLOAT_UNALIGNED,
          averageAt + at(i),
          e * decay + get(model, modelAt, i, bfloat) * weight);
    }
  }

  private static FloatVector averages(MemorySegment average, long begin, int index) {
    return FloatVector.fromMemorySegment(FLOATS, average, begin + at(index), LITTLE_ENDIAN);
  }

  private static FloatVector bfloats(MemorySegment model, long begin, int index) {
    return bits(model, begin, index).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
  }

  /** Moves exponent and fraction to where float32 has them, and scales by the bias between both. */
  private static FloatVector halves(MemorySegment model, long begin, int index) {
    IntVector bits = bits(model, begin, index);
    IntVector sign = bits.and(0x8000).lanewise(VectorOperators.LSHL, 16);
    IntVector magnitude = bits.and(0x7fff).lanewise(VectorOperators.LSHL, 13);
    IntVector finite = magnitude.reinterpretAsFloats().mul(0x1p112f).reinterpretAsInts();
    return finite
        .blend(magnitude.or(0x7f80_0000), magnitude.compare(VectorOperators.GE, 0x7c00 << 13))
        .or(sign)
        .reinterpretAsFloats();
  }

  private static IntVector bits(MemorySegment model, long begin, int index) {
    ShortVector shorts =
        ShortVector.fromMemorySegment(
            SHORTS, model, begin + (long) index * Short.BYTES, LITTLE_ENDIAN);
    return (IntVector) shorts.convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
  }

  private static float get(MemorySegment model, long begin, int index, boolean bfloat) {
    short bits = model.get(JAVA_SHORT_UNALIGNED, begin + (long) index * Short.BYTES);
    return bfloat ? Float.intBitsToFloat(bits << 16) : Float.float16ToFloat(bits);
  }

  private static long at(int index) {
    return (long) index * Float.BYTES;
  }
}
