package io.github.ema4j.checkpoint;

import java.util.function.Function;

/**
 * A class or function that a pickle names, and what stands here for calling it. No Python is run
 * and no Java class is looked up: the names are keys of a fixed table.
 *
 * @param name the module's and its own, such as {@code collections.OrderedDict}
 * @param call makes a value of the arguments
 */
record PyGlobal(String name, Function<PyTuple, Object> call) {}
