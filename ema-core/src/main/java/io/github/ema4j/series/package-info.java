/**
 * Moving averages of a stream of numbers, such as losses, metrics and features: {@link
 * io.github.ema4j.series.MovingAverage} smooths, {@link io.github.ema4j.series.Band} tells when a
 * value is out of the ordinary, {@link io.github.ema4j.series.Alpha} converts between the ways to
 * say how much. Each value costs the same, however many there were.
 */
@NullMarked
package io.github.ema4j.series;

import org.jspecify.annotations.NullMarked;
