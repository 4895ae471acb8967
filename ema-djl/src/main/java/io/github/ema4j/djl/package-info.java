/**
 * Averages of DJL blocks. {@link io.github.ema4j.djl.EmaTrainer} is DJL's trainer with an average
 * that follows each optimiser step; {@link io.github.ema4j.djl.DjlAdapter} serves those who drive
 * {@link io.github.ema4j.ModelEma} themselves, and {@link io.github.ema4j.djl.DjlBackend} averages
 * any NDArrays. Weights are averaged in place in host memory, without copies; what lies on another
 * device is refused.
 */
@NullMarked
package io.github.ema4j.djl;

import org.jspecify.annotations.NullMarked;
