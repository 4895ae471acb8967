/**
 * The averaging arithmetic on the JDK's Vector API. Nothing here is called by name: with the jar on
 * the class path and {@code --add-modules jdk.incubator.vector} on the command line, averages use
 * it.
 */
@NullMarked
package io.github.ema4j.simd;

import org.jspecify.annotations.NullMarked;
