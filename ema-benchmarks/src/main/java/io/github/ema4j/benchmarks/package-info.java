/**
 * Measures what updates cost beside the frameworks' own operations, in turns, and writes what was
 * found as a table, a CSV and charts.
 */
@NullMarked
package io.github.ema4j.benchmarks;

import org.jspecify.annotations.NullMarked;
