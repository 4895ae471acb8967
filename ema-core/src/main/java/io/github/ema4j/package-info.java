/**
 * Exponential moving averages of a model's weights, for any training framework.
 *
 * <p>{@link io.github.ema4j.ModelEma} keeps the average of one model: it starts as a copy, is
 * updated after every optimiser step, and is swapped into the model for evaluation. What is
 * averaged says {@link io.github.ema4j.EntryPolicy}, how entries pair and how fast they decay
 * {@link io.github.ema4j.EmaStrategy}, the arithmetic {@link io.github.ema4j.AveragingRule}; all of
 * it fits in one {@link io.github.ema4j.EmaConfig}. A framework takes part through the two
 * interfaces in {@link io.github.ema4j.spi}.
 */
@NullMarked
package io.github.ema4j;

import org.jspecify.annotations.NullMarked;
