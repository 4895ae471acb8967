package io.github.ema4j.cli;

import io.github.ema4j.checkpoint.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Checkpoints that are read at the same time. */
final class OpenFiles implements AutoCloseable {
  private final List<Checkpoint> open = new ArrayList<>();

  /**
   * Opens several files, in their order.
   *
   * @throws IOException if one cannot be read
   */
  static OpenFiles of(List<Path> files, Reading reading) throws IOException {
    OpenFiles opened = new OpenFiles();
    try {
      for (Path file : files) {
        opened.open.add(reading.open(file));
      }
    } catch (IOException | RuntimeException | Error e) {
      opened.close();
      throw e;
    }
    return opened;
  }

  /** Returns them. */
  List<Checkpoint> all() {
    return open;
  }

  @Override
  public void close() {
    open.forEach(Checkpoint::close);
  }
}
