/** Tests of the SIMD kernel; all run with {@code ema.kernel=simd}. */
package io.github.ema4j.simd;
