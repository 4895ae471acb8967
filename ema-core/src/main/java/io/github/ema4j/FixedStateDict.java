package io.github.ema4j;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.spi.TensorBackend;

/** A state dict of tensors that stay where they are. */
record FixedStateDict<T>(TensorBackend<T> backend, ImmutableList<StateDict.Entry<T>> entries)
    implements StateDict<T> {}
