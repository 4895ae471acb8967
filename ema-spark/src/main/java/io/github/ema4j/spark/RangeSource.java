package io.github.ema4j.spark;

import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.merge.BlockMerger;
import java.nio.ByteBuffer;

/**
 * Reads a tensor from its beginning to its end: by large ranges, as distributed file systems want
 * to be read, of which it hands out small ones.
 */
final class RangeSource implements BlockMerger.Source {
  private final FileTensor tensor;
  private final ByteBuffer range;
  private long begin; // of the range, in bytes of the tensor

  /**
   * Prepares for a tensor.
   *
   * @param elements how many a range has, at least as many as are asked for at a time
   */
  RangeSource(FileTensor tensor, int elements) {
    this.tensor = tensor;
    range = ByteBuffer.allocate(elements * tensor.spec().type().bytes()).limit(0);
  }

  @Override
  public void read(long firstElement, ByteBuffer into) {
    int size = tensor.spec().type().bytes();
    long at = firstElement * size;
    if (at < begin || at + into.remaining() > begin + range.limit()) {
      long left = tensor.spec().elements() * size - at;
      tensor.read(firstElement, range.clear().limit((int) Math.min(range.capacity(), left)));
      range.flip();
      begin = at;
    }
    into.put(range.slice((int) (at - begin), into.remaining()));
  }
}
