package io.github.ema4j.internal;

import io.github.ema4j.spi.HostMemory;

/**
 * Visits the elements of two memories side by side, in blocks that lie in one segment of each. It
 * holds what the work is about, so that nothing is allocated from one to the next. Not thread-safe.
 */
abstract class Blocks implements LoopNest.Run {
  private HostMemory left = HostMemory.NONE;
  private HostMemory right = HostMemory.NONE;
  private int most;

  /**
   * Visits a part of what a nest of loops visits.
   *
   * @param begin the first element of a flat nest
   * @param end the element after the last; of a nest that is not flat, all are visited
   * @param most how many elements a block has at most
   */
  final void visit(
      HostMemory left, HostMemory right, LoopNest nest, long begin, long end, int most) {
    this.left = left;
    this.right = right;
    this.most = most;
    nest.forEachRun(begin, end, this);
  }

  @Override
  public final void accept(
      long leftOffset, long rightOffset, long elements, long leftStride, long rightStride) {
    long done = 0;
    while (done < elements) {
      long atLeft = leftOffset + done * leftStride;
      long atRight = rightOffset + done * rightStride;
      long fit =
          Math.min(
              fitting(left.remainingAt(atLeft), leftStride),
              fitting(right.remainingAt(atRight), rightStride));
      int n = (int) Math.min(Math.min(most, elements - done), fit);
      visit(left, atLeft, stride(leftStride, n), right, atRight, stride(rightStride, n), n);
      done += n;
    }
  }

  private static long fitting(long storage, long stride) {
    return stride == 1 ? storage : (storage - 1) / stride + 1;
  }

  /** A stride over several elements fits an int, as they lie in one buffer; for one it is moot. */
  private static int stride(long stride, int n) {
    return n == 1 ? 1 : (int) stride;
  }

  /** Does something with a block of elements of both. */
  abstract void visit(
      HostMemory left,
      long atLeft,
      int leftStride,
      HostMemory right,
      long atRight,
      int rightStride,
      int n);
}
