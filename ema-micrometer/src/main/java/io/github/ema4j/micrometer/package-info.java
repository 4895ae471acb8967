/**
 * Metrics of averages in Micrometer: {@link io.github.ema4j.micrometer.EmaMetrics} is a listener
 * that an average is built with.
 */
@NullMarked
package io.github.ema4j.micrometer;

import org.jspecify.annotations.NullMarked;
