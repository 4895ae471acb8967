/**
 * The backend over plain Java arrays: for models without a framework, and the smallest example of a
 * {@link io.github.ema4j.spi.TensorBackend}.
 */
@NullMarked
package io.github.ema4j.array;

import org.jspecify.annotations.NullMarked;
