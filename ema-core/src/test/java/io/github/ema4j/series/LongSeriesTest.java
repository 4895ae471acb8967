package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Averages of long streams, over windows of 10,000 values. */
class LongSeriesTest {
  private static final int WINDOW = 10_000;
  private static final double ALPHA = Alpha.ofWindow(WINDOW);

  /** Above all values of the stream, and below twice the largest. */
  private static final double LARGEST = 11;

  @Test
  void aMillionValues() {
    run(1_000_000);
  }

  @Test
  @Tag("full") // and a hundred times as many
  void aHundredMillionValues() {
    run(100_000_000);
  }

  /** Returns the k-th value of a stream: noise around a mean that is not zero. */
  private static double value(long k) {
    long bits = k * 0x9E3779B97F4A7C15L;
    bits = (bits ^ (bits >>> 30)) * 0xBF58476D1CE4E5B9L;
    bits = (bits ^ (bits >>> 27)) * 0x94D049BB133111EBL;
    return 10 + (bits >> 11) * 0x1.0p-52;
  }

  private static void run(long values) {
    Map<String, MovingAverage> averages = new TreeMap<>();
    averages.put("simple", MovingAverage.simple(WINDOW));
    averages.put("weighted", MovingAverage.weighted(WINDOW));
    averages.put("exponential", MovingAverage.exponential(ALPHA));
    averages.put("bias-corrected", MovingAverage.biasCorrected(ALPHA));
    averages.put("kalman", MovingAverage.kalman(ALPHA * ALPHA / (1 - ALPHA), 1));
    averages.put("adaptive", MovingAverage.adaptive(ALPHA, ALPHA / 10, WINDOW / 10, WINDOW));
    averages.put("kaufman", MovingAverage.kaufman(WINDOW, 2, WINDOW));
    averages.forEach(
        (name, average) -> {
          long allocated = allocatedBy(average, values);
          // The test's own boxes, and what the JVM may put there; not a byte for each value
          assertThat(allocated).as("bytes allocated by %s", name).isLessThan(100_000);
          assertThat(average.count()).isEqualTo(values);
        });

    double[] window = tail(values, WINDOW);
    assertExact(last(window, Exact.simple(window, WINDOW)), averages.get("simple"));
    assertExact(last(window, Exact.linear(window, WINDOW)), averages.get("weighted"));
    // Of what is older than 20 windows, e^-40 is left, and so it is of how each began.
    double expected = last(tail(values, 20 * WINDOW), Exact.exponential(ALPHA));
    assertExact(expected, averages.get("exponential"));
    assertExact(expected, averages.get("bias-corrected"));
    assertExact(expected, averages.get("kalman"));
  }

  private static long allocatedBy(MovingAverage average, long values) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    for (long k = 0; k < values; k++) {
      average.add(value(k));
    }
    return threads.getCurrentThreadAllocatedBytes() - before;
  }

  private static double[] tail(long values, int length) {
    double[] tail = new double[length];
    for (int i = 0; i < length; i++) {
      tail[i] = value(values - length + i);
    }
    return tail;
  }

  private static double last(double[] past, Exact.Average exact) {
    double last = Double.NaN;
    for (double x : past) {
      last = exact.add(Exact.of(x)).doubleValue();
    }
    return last;
  }

  private static void assertExact(double expected, MovingAverage average) {
    assertThat(Math.abs(average.value() - expected)).isLessThan(1e-13 * LARGEST);
  }
}
