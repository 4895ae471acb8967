/**
 * Conformance kits: abstract JUnit classes that the author of a backend extends to learn whether it
 * averages right, with the vectors and readers that they need.
 */
@NullMarked
package io.github.ema4j.testkit;

import org.jspecify.annotations.NullMarked;
