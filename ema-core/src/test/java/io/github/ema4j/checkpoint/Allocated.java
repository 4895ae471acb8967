package io.github.ema4j.checkpoint;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** How much a thread has allocated: a count, so that bounds can be tested on a busy machine. */
final class Allocated {

  private Allocated() {}

  /** Returns how many bytes this thread has allocated so far. */
  static long bytes() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    return threads.getThreadAllocatedBytes(Thread.currentThread().getId());
  }
}
