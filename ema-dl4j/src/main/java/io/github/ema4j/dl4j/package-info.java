/**
 * Averages of DL4J networks and SameDiff graphs. {@link io.github.ema4j.dl4j.EmaListener} follows a
 * network's training, {@link io.github.ema4j.dl4j.SameDiffEmaListener} a SameDiff's; {@link
 * io.github.ema4j.dl4j.Dl4jAdapter} and {@link io.github.ema4j.dl4j.SameDiffAdapter} serve those
 * who drive {@link io.github.ema4j.ModelEma} themselves, and {@link
 * io.github.ema4j.dl4j.Dl4jBackend} averages any INDArrays: in host memory in place and without
 * copies, on a CUDA device by ND4J's own operations.
 */
@NullMarked
package io.github.ema4j.dl4j;

import org.jspecify.annotations.NullMarked;
