package io.github.ema4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * The bytes of a file that this machine does not have, such as one in an object store: for reading,
 * by pieces, until it is closed. Implementations are thread-safe.
 */
public interface FileSource extends AutoCloseable {

  /**
   * Returns what to call the file in messages. Its last part is the file's name; the others need
   * not lead to it.
   */
  Path path();

  /** Returns how many bytes the file has. */
  long size();

  /**
   * Reads bytes until a buffer is full.
   *
   * @param position of the first of them in the file
   * @throws java.io.EOFException if the file ends before
   * @throws IOException if they cannot be read
   */
  void read(long position, ByteBuffer into) throws IOException;

  /**
   * Opens another file, which lies beside this one.
   *
   * @param name the file's name
   * @throws java.io.FileNotFoundException if there is none
   * @throws IOException if it cannot be read
   */
  FileSource sibling(String name) throws IOException;

  @Override
  void close();
}
