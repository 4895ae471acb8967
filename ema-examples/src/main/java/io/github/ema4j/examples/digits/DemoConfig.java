package io.github.ema4j.examples.digits;

import io.github.ema4j.EmaConfig;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Properties;

/**
 * What the demo trains and how it averages.
 *
 * @param backend the name of a {@link DemoBackend}
 * @param data a gzipped CSV of images; the built-in digits if empty
 * @param epochs how often training passes over the data
 * @param seed decides initial weights, label noise and the order of the data
 * @param labelNoise the part of the training labels that is drawn anew
 * @param learningRate the constant rate of SGD
 * @param batchSize images a step
 * @param advise whether a short training first finds out the decay
 * @param report where the report is written; none if empty
 * @param ema how to average
 */
record DemoConfig(
    String backend,
    Optional<Path> data,
    int epochs,
    int seed,
    double labelNoise,
    double learningRate,
    int batchSize,
    boolean advise,
    Optional<Path> report,
    EmaConfig ema) {

  /** Returns the same with another way to average. */
  DemoConfig withEma(EmaConfig other) {
    return new DemoConfig(
        backend, data, epochs, seed, labelNoise, learningRate, batchSize, advise, report, other);
  }

  /**
   * Reads the configuration: system properties under {@code demo}, {@code ema.average} and {@code
   * ema.profiles}, above the file that {@code demo.config} names, above the built-in {@code
   * demo.conf}.
   *
   * @param workingDirectory from where relative file names count
   * @throws InputException if any of it is missing, unknown or malformed, with every problem and
   *     where it is
   */
  static DemoConfig read(Properties systemProperties, Path workingDirectory) {
    return DemoConfigReader.read(systemProperties, workingDirectory);
  }
}
