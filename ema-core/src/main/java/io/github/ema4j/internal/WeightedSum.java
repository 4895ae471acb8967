package io.github.ema4j.internal;

import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.ByteBuffer;

/**
 * Sums weighted floating-point elements: each product and each sum in double, in the order in which
 * the terms are added, and rounds once. Whatever averages checkpoints or snapshots is summed here,
 * so that the same terms have the same bits. Not thread-safe.
 */
public final class WeightedSum {
  /** How many elements are summed at a time, at most: what a processor's cache has room for. */
  public static final int MOST = 16 << 10;

  private final double[] sums = new double[MOST];
  private final float[] floats = new float[MOST];
  private final short[] halves = new short[MOST];
  private double[] doubles = {}; // made for the first float64
  private boolean empty = true;

  /** Begins anew, without a term. */
  public void begin() {
    empty = true;
  }

  /**
   * Adds a term to each sum. The first one is not added to 0: a sum of nothing but {@code -0.0} is
   * {@code -0.0}.
   *
   * @param type what the elements are
   * @param elements as many as in the terms before, little-endian
   */
  public void add(double weight, ElementType type, ByteBuffer elements) {
    HostMemory memory = HostMemory.of(TypedBuffers.of(type, elements));
    int n = elements.remaining() / type.bytes();
    if (type == ElementType.F64) {
      doubles = doubles.length == 0 ? new double[MOST] : doubles;
      Elements.loadDoubles(memory, type, 0, 1, doubles, n);
      for (int i = 0; i < n; i++) {
        double term = weight * doubles[i];
        sums[i] = empty ? term : sums[i] + term;
      }
    } else {
      Elements.loadFloats(memory, type, 0, 1, floats, halves, n); // exactly: none is wider
      for (int i = 0; i < n; i++) {
        double term = weight * floats[i];
        sums[i] = empty ? term : sums[i] + term;
      }
    }
    empty = false;
  }

  /**
   * Rounds the sums to the nearest values of a type.
   *
   * @param into as many elements as in the terms, little-endian
   */
  public void round(ElementType type, ByteBuffer into) {
    HostMemory memory = HostMemory.of(TypedBuffers.of(type, into));
    int n = into.remaining() / type.bytes();
    if (type == ElementType.F32) {
      for (int i = 0; i < n; i++) {
        floats[i] = (float) sums[i];
      }
      Elements.storeFloats(floats, halves, memory, type, 0, 1, n); // in one piece
    } else {
      Elements.storeDoubles(sums, memory, type, 0, 1, n);
    }
  }
}
