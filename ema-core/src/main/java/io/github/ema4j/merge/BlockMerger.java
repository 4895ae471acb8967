package io.github.ema4j.merge;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.ElementType;
import io.github.ema4j.internal.WeightedSum;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Computes any part of a tensor of a {@link MergePlan}: each product of a weight and an element and
 * each sum in double, in the order of the terms, rounded once to the result's type. The bits do not
 * depend on the parts that it is computed in. Takes half a mebibyte of memory. Not thread-safe: one
 * for each thread.
 */
public final class BlockMerger {
  private final WeightedSum sum = new WeightedSum();
  private final ByteBuffer piece =
      ByteBuffer.allocateDirect(WeightedSum.MOST * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);

  /** Where a term's elements are, such as {@link io.github.ema4j.checkpoint.FileTensor#read}. */
  public interface Source {
    /**
     * Reads elements in row-major order, each little-endian.
     *
     * @param firstElement where to begin, counted in row-major order
     * @param into to be filled from its position to its limit
     */
    void read(long firstElement, ByteBuffer into) throws IOException;
  }

  /** Makes one with memory of its own. */
  public BlockMerger() {}

  /**
   * Computes elements of a tensor.
   *
   * @param sources where the elements of the entry's terms are, in the order of these
   * @param firstElement where to begin, counted in row-major order
   * @param out filled from its position to its limit with elements of the entry's type,
   *     little-endian; its position ends up at its limit
   * @throws IllegalArgumentException if there is not one source for each term, or no room for a
   *     whole number of elements
   * @throws IOException if a source cannot be read; what is in {@code out} is of no meaning then
   */
  public void merge(
      MergePlan.Entry entry, List<? extends Source> sources, long firstElement, ByteBuffer out)
      throws IOException {
    checkArgument(
        sources.size() == entry.terms().size(),
        "'%s' has %s terms, but there are %s sources",
        entry.name(),
        entry.terms().size(),
        sources.size());
    int size = entry.spec().type().bytes();
    checkArgument(
        out.remaining() % size == 0,
        "there is room for %s bytes, which is no whole number of elements of %s",
        out.remaining(),
        size);
    if (!entry.summed()) {
      sources.get(0).read(firstElement, out);
      return;
    }
    long first = firstElement;
    while (out.hasRemaining()) {
      int n = Math.min(WeightedSum.MOST, out.remaining() / size);
      sum.begin();
      for (int i = 0; i < sources.size(); i++) {
        ElementType type = entry.terms().get(i).type();
        sources.get(i).read(first, piece.clear().limit(n * type.bytes()));
        sum.add(entry.terms().get(i).weight(), type, piece.flip());
      }
      ByteBuffer block = out.slice(out.position(), n * size).order(ByteOrder.LITTLE_ENDIAN);
      sum.round(entry.spec().type(), block);
      out.position(out.position() + n * size);
      first += n;
    }
  }
}
