package io.github.ema4j.benchmarks;

/**
 * Something whose time is measured.
 *
 * @param name what the tables call it
 * @param threads how many threads it takes
 * @param parameters how many parameters one call goes through; 0 where that says nothing
 * @param bytes how much memory one call must at least read and write; 0 where that says nothing
 * @param call what is measured
 */
record Contender(String name, int threads, long parameters, long bytes, Runnable call) {}
