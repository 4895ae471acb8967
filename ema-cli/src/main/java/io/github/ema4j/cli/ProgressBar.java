package io.github.ema4j.cli;

import java.io.Console;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.LongConsumer;

/** One line on a terminal that says how far a piece of work has come; nothing elsewhere. */
final class ProgressBar implements LongConsumer, AutoCloseable {
  private static final int WIDTH = 30;
  private static final long PAUSE_NANOS = 100_000_000;

  private final PrintWriter err;
  private final boolean shown;
  private final String what;
  private final long total;
  private final long start = System.nanoTime();
  private long done;
  private long last = start - PAUSE_NANOS;

  /**
   * Begins at 0.
   *
   * @param total how many bytes there are to do
   */
  ProgressBar(PrintWriter err, String what, long total) {
    this(err, isTerminal(), what, total);
  }

  ProgressBar(PrintWriter err, boolean shown, String what, long total) {
    this.err = err;
    this.shown = shown;
    this.what = what;
    this.total = total;
  }

  /** Tells whether a person watches. From JDK 22 on there is a console without a terminal, too. */
  @SuppressWarnings("SystemConsoleNull") // both ways are looked at
  private static boolean isTerminal() {
    Console console = System.console();
    if (console == null) {
      return false;
    }
    try {
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (ReflectiveOperationException e) {
      return true; // older JDKs have a console on terminals alone
    }
  }

  @Override
  public void accept(long bytes) {
    done += bytes;
    long now = System.nanoTime();
    if (shown && now - last >= PAUSE_NANOS) {
      last = now;
      double share = total == 0 ? 1 : (double) done / total;
      int filled = (int) (share * WIDTH);
      double seconds = (now - start) / 1e9;
      err.print(
          String.format(
              Locale.ROOT,
              "\r%s [%s%s] %3.0f%%  %s of %s, %s/s\u001b[K",
              what,
              "#".repeat(filled),
              ".".repeat(WIDTH - filled),
              100 * share,
              Sizes.text(done),
              Sizes.text(total),
              Sizes.text((long) (done / Math.max(seconds, 1e-3)))));
      err.flush();
    }
  }

  /** Takes the line away. */
  @Override
  public void close() {
    if (shown) {
      err.print("\r\u001b[K");
      err.flush();
    }
  }
}
