/**
 * Post-hoc averages: after a training, the average of any width is put together from snapshots that
 * two averages left during it.
 *
 * <p>{@link io.github.ema4j.posthoc.PostHocEma} keeps the averages and takes the snapshots; {@link
 * io.github.ema4j.posthoc.Snapshots} holds snapshots of averages that are kept otherwise, and
 * combines them; {@link io.github.ema4j.posthoc.PostHoc} is the arithmetic alone, on {@link
 * io.github.ema4j.posthoc.Profile}s.
 */
@NullMarked
package io.github.ema4j.posthoc;

import org.jspecify.annotations.NullMarked;
