package io.github.ema4j.benchmarks;

import com.google.common.collect.ListMultimap;
import com.google.common.collect.MultimapBuilder;
import com.google.common.collect.Multimaps;
import com.google.common.primitives.ImmutableDoubleArray;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Measures the contenders of a group once in every round, each round beginning with another one:
 * what else happens on the machine meanwhile meets all of them, and a ratio is taken of two
 * neighbours.
 */
final class Rounds {
  private static final double NANOS_PER_MILLI = 1e6;

  /** A sample shorter than this would measure the clock, and a single wake-up of a thread. */
  private static final double LEAST_MILLIS = 5;

  private static final int MOST_CALLS = 1_000;

  /**
   * Before a sample shorter than this the contender runs once unmeasured: the threads of the one
   * before may still spin for some milliseconds, and its own may sleep.
   */
  private static final double SETTLED_MILLIS = 100;

  private static final int LEAST_WARM_UPS = 3;

  private final int rounds;
  private final double warmUpMillis;
  private final IntConsumer useThreads;

  /** A contender, how long one call takes about, and what was measured. */
  private record Lane(Contender contender, double estimate, List<Double> samples) {}

  /**
   * Prepares to measure.
   *
   * @param warmUpMillis how long each contender runs before, for the JIT compiler
   * @param useThreads tells the framework how many threads its next operations may take
   */
  Rounds(int rounds, double warmUpMillis, IntConsumer useThreads) {
    this.rounds = rounds;
    this.warmUpMillis = warmUpMillis;
    this.useThreads = useThreads;
  }

  /**
   * Returns the milliseconds of one call, round by round, for each contender in the group's order.
   */
  List<ImmutableDoubleArray> measure(Group group) {
    List<List<Double>> samples = group.isTraining() ? inOrder(group) : inTurns(group);
    return samples.stream().map(ImmutableDoubleArray::copyOf).toList();
  }

  private List<List<Double>> inTurns(Group group) {
    List<Lane> lanes = new ArrayList<>();
    for (Contender contender : group.contenders()) {
      lanes.add(new Lane(contender, warmUp(contender), new ArrayList<>()));
    }
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < lanes.size(); i++) {
        Lane lane = lanes.get((i + round) % lanes.size());
        lane.samples.add(sample(lane));
      }
    }
    return lanes.stream().map(Lane::samples).toList();
  }

  /** Goes on as training does: an update finds in the cache what the step before it left. */
  private List<List<Double>> inOrder(Group group) {
    ListMultimap<Contender, Double> samples =
        MultimapBuilder.linkedHashKeys().arrayListValues().build();
    for (int round = -LEAST_WARM_UPS; round < rounds; round++) {
      for (Contender contender : group.contenders()) {
        double millis = time(contender, 1);
        if (round >= 0) {
          samples.put(contender, millis);
        }
      }
    }
    return List.copyOf(Multimaps.asMap(samples).values());
  }

  private double warmUp(Contender contender) {
    double spent = 0;
    double last = 0;
    for (int i = 0; i < LEAST_WARM_UPS || spent < warmUpMillis; i++) {
      last = time(contender, 1);
      spent += last;
    }
    return last;
  }

  private double sample(Lane lane) {
    if (lane.estimate < SETTLED_MILLIS) {
      time(lane.contender, 1);
    }
    double calls = Math.ceil(LEAST_MILLIS / lane.estimate);
    return time(lane.contender, (int) Math.max(1, Math.min(calls, MOST_CALLS)));
  }

  private double time(Contender contender, int calls) {
    useThreads.accept(contender.threads());
    long begin = System.nanoTime();
    for (int i = 0; i < calls; i++) {
      contender.call().run();
    }
    return (System.nanoTime() - begin) / NANOS_PER_MILLI / calls;
  }
}
