/**
 * The engine behind {@link io.github.ema4j.ModelEma}: pairing, storage checks, the plan of an
 * update and the host kernel. Not part of the public API; it changes without notice.
 */
@NullMarked
package io.github.ema4j.internal;

import org.jspecify.annotations.NullMarked;
