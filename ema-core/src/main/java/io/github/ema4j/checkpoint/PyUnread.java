package io.github.ema4j.checkpoint;

/**
 * What takes the place of a value that is not read: its content was dropped.
 *
 * @param what the Python class or function that it is of
 */
record PyUnread(String what) {}
