/** Checks that span modules: layers, and documents against code. */
@NullMarked
package io.github.ema4j.conformance;

import org.jspecify.annotations.NullMarked;
