package io.github.ema4j.report;

import java.util.Arrays;
import java.util.function.DoubleBinaryOperator;

/**
 * Numbers by step, of which there may be any number: when room runs out, neighbours are merged, so
 * that what is kept is evenly spread over all steps.
 */
final class Track {
  static final int ROOM = 512;

  /** Keeps the newer of two. */
  static final DoubleBinaryOperator LAST = (older, newer) -> newer;

  private final DoubleBinaryOperator[] merges;
  private final double[] ends = new double[ROOM];
  private final double[][] columns;
  private int size;
  private long stepsEach = 1;
  private long stepsInLast = 1;

  /**
   * Makes a track.
   *
   * @param merges for each column what becomes of two neighbours, the older first
   */
  Track(DoubleBinaryOperator... merges) {
    this.merges = merges;
    columns = new double[merges.length][ROOM];
  }

  /** Adds a step: where it is, and a number for each column. */
  void add(long step, double... values) {
    if (size > 0 && stepsInLast < stepsEach) {
      mergeIntoLast(step, values);
      stepsInLast++;
      return;
    }
    if (size == ROOM) {
      halve();
    }
    ends[size] = (double) step;
    for (int column = 0; column < columns.length; column++) {
      columns[column][size] = values[column];
    }
    size++;
    stepsInLast = 1;
  }

  private void mergeIntoLast(long step, double[] values) {
    ends[size - 1] = (double) step;
    for (int column = 0; column < columns.length; column++) {
      double older = columns[column][size - 1];
      columns[column][size - 1] = merges[column].applyAsDouble(older, values[column]);
    }
  }

  private void halve() {
    for (int i = 0; i < ROOM / 2; i++) {
      ends[i] = ends[2 * i + 1];
      for (int column = 0; column < columns.length; column++) {
        double[] all = columns[column];
        all[i] = merges[column].applyAsDouble(all[2 * i], all[2 * i + 1]);
      }
    }
    size = ROOM / 2;
    stepsEach *= 2;
  }

  boolean isEmpty() {
    return size == 0;
  }

  /** Returns the last step of each place. */
  double[] ends() {
    return Arrays.copyOf(ends, size);
  }

  double[] column(int index) {
    return Arrays.copyOf(columns[index], size);
  }
}
