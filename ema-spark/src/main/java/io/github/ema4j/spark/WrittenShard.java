package io.github.ema4j.spark;

import java.io.Serializable;

/**
 * What a task tells of the file that it has written.
 *
 * @param number of the file, from 0
 * @param file its name
 */
record WrittenShard(int number, String file, String digest) implements Serializable {}
