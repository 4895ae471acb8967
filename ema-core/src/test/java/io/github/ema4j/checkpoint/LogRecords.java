package io.github.ema4j.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** What a class logs while this is open; nothing of it is printed. */
final class LogRecords extends Handler implements AutoCloseable {
  private final Logger logger;
  private final List<LogRecord> records = new ArrayList<>();

  private LogRecords(Logger logger) {
    this.logger = logger;
  }

  static LogRecords of(Class<?> logging) {
    LogRecords records = new LogRecords(Logger.getLogger(logging.getName()));
    records.logger.addHandler(records);
    records.logger.setUseParentHandlers(false);
    return records;
  }

  List<String> warnings() {
    return records.stream()
        .filter(record -> record.getLevel().equals(Level.WARNING))
        .map(new SimpleFormatter()::formatMessage)
        .toList();
  }

  @Override
  public void publish(LogRecord record) {
    records.add(record);
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    logger.removeHandler(this);
    logger.setUseParentHandlers(true);
  }
}
