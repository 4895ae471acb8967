package io.github.ema4j.examples.digits;

import java.io.Console;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * All that the demo prints: lines, and below them a progress bar where there is a terminal.
 *
 * <p>Used by one thread; the bar draws itself from another.
 */
final class ProgressDisplay implements AutoCloseable {
  /** What fits on any terminal without wrapping. */
  private static final int BAR_WIDTH = 79;

  private static final int REDRAW_MILLIS = 100;

  private final PrintStream out;
  private final PrintStream err;
  private final boolean terminal;
  private @Nullable ProgressBar bar;

  /**
   * Prints to streams of one's own.
   *
   * @param terminal whether the output stream can show a progress bar
   */
  ProgressDisplay(PrintStream out, PrintStream err, boolean terminal) {
    this.out = out;
    this.err = err;
    this.terminal = terminal;
  }

  /** Prints to the process's own output. */
  static ProgressDisplay ofProcess() {
    return new ProgressDisplay(System.out, System.err, hasTerminal());
  }

  @SuppressWarnings("SystemConsoleNull") // before JDK 22 it is null where there is no terminal
  private static boolean hasTerminal() {
    Console console = System.console();
    return console != null && isTerminal(console) && !"dumb".equals(System.getenv("TERM"));
  }

  private static boolean isTerminal(Console console) {
    try {
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (NoSuchMethodException e) {
      return true; // before JDK 22
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new LinkageError("cannot call Console.isTerminal", e);
    }
  }

  /** Starts the progress bar. */
  void begin(String task, long steps) {
    if (terminal) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(task)
              .setInitialMax(steps)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(REDRAW_MILLIS)
              .setConsumer(new LastLine())
              .build();
    }
  }

  /** Moves the progress bar on by one step. */
  void step() {
    if (bar != null) {
      bar.step();
    }
  }

  /** Prints a line, above the progress bar if there is one. */
  void line(String text) {
    synchronized (out) {
      if (bar != null) {
        out.print(blank());
      }
      out.println(text);
      out.flush();
    }
  }

  /** Takes the progress bar away. */
  void end() {
    if (bar != null) {
      bar.close(); // from here on it draws no more
      bar = null;
      out.print(blank());
      out.flush();
    }
  }

  /** Prints what went wrong. */
  void error(String text) {
    end();
    err.println("error: " + text);
    err.flush();
  }

  /** Takes the progress bar away; the streams stay open. */
  @Override
  public void close() {
    end();
  }

  private static String blank() {
    return '\r' + " ".repeat(BAR_WIDTH) + '\r';
  }

  /** Draws the bar on the line that the cursor is in. */
  private final class LastLine implements ProgressBarConsumer {
    @Override
    public int getMaxRenderedLength() {
      return BAR_WIDTH;
    }

    @Override
    public void accept(String text) {
      synchronized (out) {
        out.print('\r' + text);
        out.flush();
      }
    }

    @Override
    public void close() {
      // The stream belongs to the process.
    }
  }
}
