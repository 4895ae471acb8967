package io.github.ema4j.testkit;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** Measures what work allocates on the Java heap. */
public final class Allocations {

  private Allocations() {}

  /**
   * Runs work on the calling thread until it allocates little, or has run often enough: what an
   * interpreter allocates, and what is made once, does not count.
   *
   * @param most how often it runs at most
   * @param little fewer bytes than this are little
   * @return how many bytes it allocated when it allocated least
   */
  public static long least(Runnable work, int most, long little) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long least = Long.MAX_VALUE;
    for (int run = 0; run < most && least >= little; run++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      work.run();
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    return least;
  }
}
