/**
 * Decay schedules: how much of the average an update keeps, as a function of the time that has
 * passed.
 */
@NullMarked
package io.github.ema4j.schedule;

import org.jspecify.annotations.NullMarked;
