package io.github.ema4j.checkpoint;

import io.github.ema4j.TensorSpec;

/**
 * A tensor as a pickle describes it: a view of a storage that lies elsewhere in the file.
 *
 * @param storage what it is a view of
 * @param offset the index of its first element
 * @param spec its type, shape and strides
 */
record PthTensor(PthStorage storage, long offset, TensorSpec spec) {}
