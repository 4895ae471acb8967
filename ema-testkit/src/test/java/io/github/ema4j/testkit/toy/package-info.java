/** A small framework of arrays that can do all that the kits ask about, for breaking it. */
@NullMarked
package io.github.ema4j.testkit.toy;

import org.jspecify.annotations.NullMarked;
