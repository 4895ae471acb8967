/**
 * Averages of DJL blocks. {@link io.github.ema4j.djl.EmaTrainer} is DJL's trainer with an average
 * that follows each optimiser step; {@link io.github.ema4j.djl.DjlAdapter} serves those who drive
 * {@link io.github.ema4j.ModelEma} themselves, and {@link io.github.ema4j.djl.DjlBackend} averages
 * any NDArrays; {@link io.github.ema4j.djl.EmaValidationListener} evaluates the average after each
 * epoch. Weights on the CPU are averaged in place, without copies; those on GPUs by DJL's own
 * operations.
 */
@NullMarked
package io.github.ema4j.djl;

import org.jspecify.annotations.NullMarked;
