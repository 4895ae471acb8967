/**
 * How much of an average each update keeps. Every schedule is an immutable record that can be
 * printed, compared and written as configuration; most are made by the factories of {@link
 * io.github.ema4j.DecaySchedule}, which also has the wrappers (delayed, clamped, scaled,
 * zero-debiased). {@link io.github.ema4j.schedule.Decays} converts between decay, half-life and
 * window.
 */
@NullMarked
package io.github.ema4j.schedule;

import org.jspecify.annotations.NullMarked;
