package io.github.ema4j.internal;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.Drift;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.HostMemory;

/** Measures how far tensors are from others of the same shapes, of any type, layout and device. */
public final class DriftMeter {
  private static final int BLOCK = 1024;

  private final double[] average = new double[BLOCK];
  private final double[] model = new double[BLOCK];
  private double squaredDistance;
  private double squaredNorm;

  private DriftMeter() {}

  /**
   * Measures the drift.
   *
   * @param averages of floating types
   * @param models of floating types, paired with the averages by position
   * @throws IllegalStateException if a tensor is closed or released, naming it
   */
  public static <T> Drift measure(Tensors<T> averages, Tensors<T> models) {
    DriftMeter meter = new DriftMeter();
    int[] ties = averages.ties();
    double distance = 0;
    double norm = 0;
    ImmutableMap.Builder<String, Double> byEntry = ImmutableMap.builder();
    for (int i = 0; i < ties.length; i++) {
      Entry<T> average = averages.entries().get(i);
      meter.measure(averages, average, models, models.entries().get(i));
      byEntry.put(average.name(), ratio(meter.squaredDistance, meter.squaredNorm));
      if (ties[i] == i) {
        distance += meter.squaredDistance;
        norm += meter.squaredNorm;
      }
    }
    return new Drift(ratio(distance, norm), byEntry.buildOrThrow());
  }

  private static double ratio(double squaredDistance, double squaredNorm) {
    return squaredDistance == 0 ? 0 : Math.sqrt(squaredDistance) / Math.sqrt(squaredNorm);
  }

  private <T> void measure(
      Tensors<T> averages, Entry<T> averageEntry, Tensors<T> models, Entry<T> modelEntry) {
    HostSide<T> e = HostSide.of(averages, averageEntry);
    try {
      HostSide<T> m = HostSide.of(models, modelEntry);
      try {
        e.fetch();
        m.fetch();
        measure(e, m);
      } finally {
        m.release();
      }
    } finally {
      e.release();
    }
  }

  private <T> void measure(HostSide<T> e, HostSide<T> m) {
    squaredDistance = 0;
    squaredNorm = 0;
    HostMemory left = e.memory();
    HostMemory right = m.memory();
    ElementType leftType = e.spec().type();
    ElementType rightType = m.spec().type();
    LoopNest.over(e.spec().shape(), e.spec().strides(), m.spec().strides())
        .forEachRun(
            (leftAt, rightAt, elements, leftStride, rightStride) -> {
              for (long done = 0, n; done < elements; done += n) {
                long l = leftAt + done * leftStride;
                long r = rightAt + done * rightStride;
                n = Math.min(Math.min(elements - done, BLOCK), within(left, l, leftStride));
                n = Math.min(n, within(right, r, rightStride));
                // The strides are moot or within one buffer.
                Elements.loadDoubles(left, leftType, l, (int) leftStride, average, (int) n);
                Elements.loadDoubles(right, rightType, r, (int) rightStride, model, (int) n);
                add((int) n);
              }
            });
  }

  /** Returns how many elements of a run lie in the segment of the first. */
  private static long within(HostMemory memory, long at, long stride) {
    return (memory.remainingAt(at) - 1) / Math.max(1, stride) + 1;
  }

  private void add(int n) {
    for (int i = 0; i < n; i++) {
      double difference = model[i] - average[i];
      squaredDistance += difference * difference;
      squaredNorm += average[i] * average[i];
    }
  }
}
