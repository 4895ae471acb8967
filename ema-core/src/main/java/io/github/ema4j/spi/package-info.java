/**
 * What a training framework implements to have its models averaged: where tensors live ({@link
 * io.github.ema4j.spi.TensorBackend}) and which tensors a model has ({@link
 * io.github.ema4j.spi.ModelAdapter}). Nothing here knows of decays, pairing or averages.
 */
@NullMarked
package io.github.ema4j.spi;

import org.jspecify.annotations.NullMarked;
