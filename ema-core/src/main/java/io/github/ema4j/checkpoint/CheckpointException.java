package io.github.ema4j.checkpoint;

import static java.util.Objects.requireNonNull;

import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Says that a file's content is not what it should be. That a file cannot be read at all is a
 * {@link java.io.IOException} instead.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient @Nullable Path file;
  private final @Nullable String entry;
  private final String reason;

  /** Says what is wrong with a file as a whole. */
  public CheckpointException(Path file, String reason) {
    this(file, null, reason, null);
  }

  /**
   * Says what is wrong with a file, or with one entry of it.
   *
   * @param entry the name of the tensor, member or key that is wrong, if it is one
   * @param reason what is wrong, with the value
   * @param cause what found it, if anything did
   */
  public CheckpointException(
      Path file, @Nullable String entry, String reason, @Nullable Throwable cause) {
    super(file + ": " + (entry == null ? "" : "'" + entry + "': ") + reason, cause);
    this.file = requireNonNull(file, "file");
    this.entry = entry;
    this.reason = reason;
  }

  /** Returns the file; empty if the exception came from another JVM. */
  public Optional<Path> file() {
    return Optional.ofNullable(file);
  }

  /** Returns the name of the tensor, member or key that is wrong, if it is one. */
  public Optional<String> entry() {
    return Optional.ofNullable(entry);
  }

  /** Returns what is wrong, without the file and the entry. */
  public String reason() {
    return reason;
  }
}
