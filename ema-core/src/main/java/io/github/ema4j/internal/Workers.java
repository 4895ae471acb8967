package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Ints;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.RecursiveAction;
import org.jspecify.annotations.Nullable;

/**
 * Splits the work of one operation over threads, if it is large: the caller's thread does the first
 * part. How many there are at most is the system property {@code ema.threads}, the number of
 * processors by default but no more than {@value #MOST_BY_DEFAULT}. Each part has a kernel of its
 * own; nothing is allocated from the second operation on.
 */
final class Workers {
  static final String PROPERTY = "ema.threads";

  /** Memory is exhausted by a few cores; more would only take them from the training. */
  private static final int MOST_BY_DEFAULT = 4;

  private static final int MOST = 256;

  /** A part that takes less time than waking a thread is not worth one. */
  private static final long LEAST_BYTES = 4 << 20;

  /** Threads that write to one cache line slow each other down: no type has smaller elements. */
  private static final int LINE = 64;

  private final int threads;
  private final HostKernel kernel;
  private Part @Nullable [] parts;

  /** What is split. */
  interface Work {
    /** Does the part from one position to another, of those that were said to exist. */
    void run(HostKernel kernel, long begin, long end);
  }

  private static final class Pool {
    /** Its threads are daemons, and end when they had nothing to do for a minute. */
    static final ForkJoinPool POOL = new ForkJoinPool(MOST);
  }

  @SuppressWarnings("serial") // never is
  private static final class Part extends RecursiveAction {
    private final HostKernel kernel;
    private @Nullable Work work;
    private long begin;
    private long end;

    Part(HostKernel kernel) {
      this.kernel = kernel;
    }

    void start(Work newWork, long newBegin, long newEnd) {
      reinitialize();
      work = newWork;
      begin = newBegin;
      end = newEnd;
      Pool.POOL.execute(this);
    }

    @Override
    protected void compute() {
      if (work != null) {
        work.run(kernel, begin, end);
        work = null;
      }
    }
  }

  Workers(int threads, HostKernel kernel) {
    this.threads = threads;
    this.kernel = kernel;
  }

  /**
   * Returns how many threads an operation may take.
   *
   * @throws IllegalArgumentException if the property is no number, or out of range
   */
  static int configuredThreads() {
    String text = System.getProperty(PROPERTY);
    if (text == null) {
      return Math.min(Runtime.getRuntime().availableProcessors(), MOST_BY_DEFAULT);
    }
    Integer threads = Ints.tryParse(text);
    checkArgument(
        threads != null && threads >= 1 && threads <= MOST,
        "the system property %s must be a whole number from 1 to %s, but was '%s'",
        PROPERTY,
        MOST,
        text);
    return threads;
  }

  /** Returns the kernel of the caller's thread. */
  HostKernel kernel() {
    return kernel;
  }

  /**
   * Runs work on all positions, and returns when all of it is done.
   *
   * @param positions how many there are
   * @param bytes how much memory the work reads and writes
   */
  void run(long positions, long bytes, Work work) {
    int count = (int) Math.min(Math.min(threads, bytes / LEAST_BYTES), positions);
    if (count <= 1) {
      work.run(kernel, 0, positions);
      return;
    }
    Part[] others = parts();
    long each = positions / count / LINE * LINE;
    for (int i = 1; i < count; i++) {
      others[i - 1].start(work, i * each, i == count - 1 ? positions : (i + 1) * each);
    }
    try {
      work.run(kernel, 0, each);
    } finally {
      for (int i = 1; i < count; i++) {
        others[i - 1].quietlyJoin();
      }
    }
    for (int i = 1; i < count; i++) {
      others[i - 1].join(); // throws what went wrong there
    }
  }

  private Part[] parts() {
    if (parts == null) {
      parts = new Part[threads - 1];
      for (int i = 0; i < parts.length; i++) {
        parts[i] = new Part(kernel.another());
      }
    }
    return parts;
  }
}
