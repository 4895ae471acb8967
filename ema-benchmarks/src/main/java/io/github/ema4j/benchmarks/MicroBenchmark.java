package io.github.ema4j.benchmarks;

/**
 * What JMH found of an update that stays in the cache.
 *
 * @param setting what kind of model it was, and whether the guard was on
 * @param nanos the mean time of an update
 * @param error half of its confidence interval of 99.9 %
 * @param heapBytes what an update allocates on the Java heap
 */
record MicroBenchmark(
    String kernel, String elements, String setting, double nanos, double error, double heapBytes) {}
