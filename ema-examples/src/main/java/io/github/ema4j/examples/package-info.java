/** Small examples, one class each; the digits demo has a package of its own. */
@NullMarked
package io.github.ema4j.examples;

import org.jspecify.annotations.NullMarked;
