package io.github.ema4j;

import com.google.common.collect.ImmutableMap;

/**
 * How far a model is from its average: {@code |m - e| / |e|} in the Euclidean norm, over entries of
 * a floating type that are averaged. 0 where both are the same, infinite where only the average is
 * zero, NaN where there is one in either.
 *
 * @param total of all entries as one vector, tied ones once
 * @param byEntry of each entry, by its name in the average, in the average's order
 */
public record Drift(double total, ImmutableMap<String, Double> byEntry) {}
