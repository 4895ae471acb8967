package io.github.ema4j.checkpoint;

import java.nio.ByteOrder;

/** What a file of PyTorch holds: the value that was saved, and where its storages lie. */
interface PthContent {

  /** Returns what was given to {@code torch.save}, as {@link Unpickler} has it. */
  Object root();

  /** Returns the order of the bytes in an element. */
  ByteOrder order();

  /** Returns where a storage's first byte is in the file. */
  long offset(PthStorage storage);

  /** Tells whether the file has checksums. */
  boolean hasChecksums();

  /**
   * Compares a storage's bytes to their checksum, if the file has one.
   *
   * @throws CheckpointException if they differ
   */
  void verify(PthStorage storage);

  /**
   * Compares all bytes to their checksums, if the file has some.
   *
   * @throws CheckpointException if they differ
   */
  void verify();
}
