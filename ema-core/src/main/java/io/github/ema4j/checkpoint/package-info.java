/**
 * Files of tensors: what is read of them stays in the file and is mapped into memory.
 *
 * <p>Everything that a file says is checked before it is used; what is wrong with one is told by
 * {@link io.github.ema4j.checkpoint.CheckpointException}.
 */
@NullMarked
package io.github.ema4j.checkpoint;

import org.jspecify.annotations.NullMarked;
