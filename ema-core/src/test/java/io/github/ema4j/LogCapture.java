package io.github.ema4j;

import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** Collects the warnings that a class logs until it is closed. */
public final class LogCapture extends Handler implements AutoCloseable {
  private final Logger logger;
  private final SimpleFormatter formatter = new SimpleFormatter();
  private final List<String> warnings = new ArrayList<>();

  private LogCapture(Logger logger) {
    this.logger = logger;
    logger.addHandler(this);
  }

  /** Starts collecting. */
  public static LogCapture of(Class<?> logging) {
    return new LogCapture(Logger.getLogger(logging.getName()));
  }

  /** Returns the warnings so far. */
  public List<String> warnings() {
    return warnings;
  }

  @Override
  public void publish(LogRecord logged) {
    if (logged.getLevel().equals(Level.WARNING)) {
      warnings.add(formatter.formatMessage(logged));
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    logger.removeHandler(this);
  }
}
