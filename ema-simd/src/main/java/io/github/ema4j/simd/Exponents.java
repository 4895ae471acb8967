package io.github.ema4j.simd;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Finds NaN and infinity: their exponent has all bits set, and so is the greatest there is. One
 * method for each width of elements.
 */
final class Exponents {
  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Long> LONGS = LongVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_PREFERRED;

  private Exponents() {}

  static boolean areFinite(MemorySegment segment, long begin, int n, short exponent) {
    ShortVector greatest = ShortVector.zero(SHORTS);
    int bound = SHORTS.loopBound(n);
    for (int i = 0; i < bound; i += SHORTS.length()) {
      ShortVector bits =
          ShortVector.fromMemorySegment(
              SHORTS, segment, begin + (long) i * Short.BYTES, LITTLE_ENDIAN);
      greatest = greatest.max(bits.and(exponent));
    }
    int last = greatest.reduceLanes(VectorOperators.MAX);
    for (int i = bound; i < n; i++) {
      last =
          Math.max(
              last, segment.get(JAVA_SHORT_UNALIGNED, begin + (long) i * Short.BYTES) & exponent);
    }
    return last < exponent;
  }

  /** Four greatest at a time, as each waits for the one before. */
  static boolean areFinite(MemorySegment segment, long begin, int n, int exponent) {
    int lanes = INTS.length();
    IntVector one = IntVector.zero(INTS);
    IntVector two = one;
    IntVector three = one;
    IntVector four = one;
    int i = 0;
    for (; i <= n - 4 * lanes; i += 4 * lanes) {
      one = one.max(load(segment, begin, i).and(exponent));
      two = two.max(load(segment, begin, i + lanes).and(exponent));
      three = three.max(load(segment, begin, i + 2 * lanes).and(exponent));
      four = four.max(load(segment, begin, i + 3 * lanes).and(exponent));
    }
    IntVector greatest = one.max(two).max(three.max(four));
    for (; i <= n - lanes; i += lanes) {
      greatest = greatest.max(load(segment, begin, i).and(exponent));
    }
    int last = greatest.reduceLanes(VectorOperators.MAX);
    for (; i < n; i++) {
      last =
          Math.max(
              last, segment.get(JAVA_INT_UNALIGNED, begin + (long) i * Integer.BYTES) & exponent);
    }
    return last < exponent;
  }

  /** Loads floats, and takes them as ints: C2 boxes vectors of ints that are loaded from floats. */
  private static IntVector load(MemorySegment segment, long begin, int index) {
    return FloatVector.fromMemorySegment(
            FLOATS, segment, begin + (long) index * Float.BYTES, LITTLE_ENDIAN)
        .reinterpretAsInts();
  }

  static boolean areFinite(MemorySegment segment, long begin, int n, long exponent) {
    LongVector greatest = LongVector.zero(LONGS);
    int bound = LONGS.loopBound(n);
    for (int i = 0; i < bound; i += LONGS.length()) {
      LongVector bits =
          DoubleVector.fromMemorySegment(
                  DOUBLES, segment, begin + (long) i * Double.BYTES, LITTLE_ENDIAN)
              .reinterpretAsLongs();
      greatest = greatest.max(bits.and(exponent));
    }
    long last = greatest.reduceLanes(VectorOperators.MAX);
    for (int i = bound; i < n; i++) {
      last =
          Math.max(
              last, segment.get(JAVA_LONG_UNALIGNED, begin + (long) i * Long.BYTES) & exponent);
    }
    return last < exponent;
  }
}
