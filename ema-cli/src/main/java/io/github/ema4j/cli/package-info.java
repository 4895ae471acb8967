/**
 * The {@code ema} command: looks at checkpoints, compares, averages and converts them, puts
 * post-hoc averages together and shows decay schedules. {@link io.github.ema4j.cli.EmaCommand}
 * starts it.
 */
@NullMarked
package io.github.ema4j.cli;

import org.jspecify.annotations.NullMarked;
