package io.github.ema4j.checkpoint;

/** What happens when a checkpoint's configuration is not that of the average that resumes. */
public enum OnConfigChange {
  /** Resuming fails and tells both values. */
  REFUSE,
  /** The average goes on with the file's configuration; its device stays as it is. */
  TAKE_FILE,
  /** The average goes on with its own configuration. */
  TAKE_PROGRAM
}
