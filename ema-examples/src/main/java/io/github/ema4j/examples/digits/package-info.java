/**
 * The digits demo: trains a small convolutional network on handwritten digits, some of whose labels
 * are wrong, and shows after each epoch how much better the averaged weights do than the raw ones.
 *
 * <p>{@link io.github.ema4j.examples.digits.DigitsDemo} reads a configuration and a data file, and
 * runs the rest. A framework takes part by implementing {@code DemoBackend}; nothing else here
 * names one.
 */
@NullMarked
package io.github.ema4j.examples.digits;

import org.jspecify.annotations.NullMarked;
