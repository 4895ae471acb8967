/**
 * Averages of checkpoints and post-hoc averages on Apache Spark, for what is too large for one
 * machine: {@link io.github.ema4j.spark.SparkAverages} runs a {@link
 * io.github.ema4j.spark.SparkPlan}, on any file system that Hadoop knows.
 *
 * <p>Each task writes one file of the result, range by range, from ranges of the inputs that it
 * reads itself; no tensor's bytes go from one task to another.
 */
@NullMarked
package io.github.ema4j.spark;

import org.jspecify.annotations.NullMarked;
