package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableMap;
import java.nio.ByteBuffer;
import java.util.Set;

/**
 * A value that {@code torch.save} was given, read from its pickle.
 *
 * @param root the value
 * @param storages what its tensors are views of, by key
 */
record PthPickle(Object root, ImmutableMap<String, PthStorage> storages) {
  /** The most that a pickle may have: without the weights, a tensor takes about 100 bytes. */
  static final int MAX_BYTES = 32 << 20;

  private static final int NAMES_IN_MESSAGE = 20;

  /**
   * Reads from a buffer's position on, and leaves it behind the pickle.
   *
   * @param ignored names of Python classes and functions whose values are read past
   * @throws CheckpointException if it is not sound, or names what is neither known nor ignored
   */
  static PthPickle read(FileBytes file, String entry, ByteBuffer in, Set<String> ignored) {
    PthNames names = new PthNames(ignored);
    Object root = new Unpickler(file.path(), entry, in, names).read();
    if (!names.refused().isEmpty()) {
      throw new CheckpointException(
          file.path(),
          entry,
          String.format(
              "it holds Python objects that are not read: %s%s; nothing of them was executed."
                  + " If you can do without their values, name them to be ignored",
              String.join(", ", names.refused().stream().limit(NAMES_IN_MESSAGE).toList()),
              names.refused().size() > NAMES_IN_MESSAGE ? ", …" : ""),
          null);
    }
    return new PthPickle(root, ImmutableMap.copyOf(names.storages()));
  }
}
