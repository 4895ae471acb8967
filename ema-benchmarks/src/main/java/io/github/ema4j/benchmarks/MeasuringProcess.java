package io.github.ema4j.benchmarks;

import java.io.IOException;
import java.util.List;

/** A process of its own that measures something. */
interface MeasuringProcess {

  /**
   * Runs it, and returns what it measured; nothing where what it measures is not there.
   *
   * @throws IllegalStateException if it failed
   */
  List<Measurement> run(Scope scope) throws IOException, InterruptedException;
}
