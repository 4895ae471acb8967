package io.github.ema4j.benchmarks;

import com.google.common.collect.ContiguousSet;
import com.google.common.collect.DiscreteDomain;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.Range;

/** The numbers of threads that are compared. */
final class Threads {
  /** Memory is exhausted by a few cores, and shared machines have no more that are free. */
  static final int MOST = Math.min(2, Runtime.getRuntime().availableProcessors());

  private Threads() {}

  static ImmutableList<Integer> all() {
    return upTo(MOST);
  }

  /** Returns them up to what a contender can take. */
  static ImmutableList<Integer> upTo(int most) {
    return ContiguousSet.create(Range.closed(1, Math.min(MOST, most)), DiscreteDomain.integers())
        .asList();
  }
}
