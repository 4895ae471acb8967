/**
 * Averages of checkpoints that a training left, without the training: uniform ones, with weights of
 * the user's, or as an exponential moving average over the checkpoints would weigh them.
 *
 * <p>{@link io.github.ema4j.merge.MergePlan} says what is summed; {@link
 * io.github.ema4j.merge.MergeWeights} are usual weights; {@link io.github.ema4j.merge.Merge} is the
 * result as a state dict, made piece by piece while it is written; {@link
 * io.github.ema4j.merge.BlockMerger} is the arithmetic alone, on any part of a tensor.
 */
@NullMarked
package io.github.ema4j.merge;

import org.jspecify.annotations.NullMarked;
