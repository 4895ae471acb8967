package io.github.ema4j.spi;

/**
 * The stretch of memory that a tensor's elements span; core compares stretches to find tied,
 * overlapping and aliased tensors.
 *
 * @param space what the offsets count in, compared by identity: the Java array, or one object that
 *     stands for a whole address space
 * @param begin the tensor's first byte, from the start of the space
 * @param bytes how many bytes lie between the first and the last element's end; 0 for an empty
 *     tensor
 */
public record Storage(Object space, long begin, long bytes) {

  /** Tells whether both are the same bytes; empty stretches are never the same. */
  public boolean isSameAs(Storage other) {
    return space == other.space && begin == other.begin && bytes == other.bytes && bytes > 0;
  }

  /** Tells whether the other begins where this one ends. */
  public boolean isFollowedBy(Storage other) {
    return space == other.space && begin + bytes == other.begin;
  }

  /** Tells whether the two have a byte in common. */
  public boolean overlaps(Storage other) {
    return space == other.space
        && bytes > 0
        && other.bytes > 0
        && begin < other.begin + other.bytes
        && other.begin < begin + bytes;
  }
}
