/** Tests of the digits demo. */
@NullMarked
package io.github.ema4j.examples.digits;

import org.jspecify.annotations.NullMarked;
