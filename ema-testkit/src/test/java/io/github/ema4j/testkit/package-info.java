/** Tests of the kits, and of the array backend by the kits. */
@NullMarked
package io.github.ema4j.testkit;

import org.jspecify.annotations.NullMarked;
