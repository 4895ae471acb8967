/**
 * A report of a training as one HTML page: {@link io.github.ema4j.report.EmaReport} is a listener
 * that an average is built with, and writes the page when the average is closed.
 */
@NullMarked
package io.github.ema4j.report;

import org.jspecify.annotations.NullMarked;
