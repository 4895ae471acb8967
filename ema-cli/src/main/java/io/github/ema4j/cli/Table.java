package io.github.ema4j.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Rows of text whose columns are aligned: the first to the left, as is what is no number. */
final class Table {
  private static final String GAP = "  ";

  private final String[] header;
  private final boolean[] right;
  private final List<String[]> rows = new ArrayList<>();

  /**
   * Begins a table.
   *
   * @param columns their titles; those that begin with {@code >} are aligned to the right
   */
  Table(String... columns) {
    header = new String[columns.length];
    right = new boolean[columns.length];
    for (int i = 0; i < columns.length; i++) {
      right[i] = columns[i].startsWith(">");
      header[i] = right[i] ? columns[i].substring(1) : columns[i];
    }
  }

  /** Adds a row. */
  void add(String... cells) {
    rows.add(cells);
  }

  /** Writes the titles, if one is not empty, and all rows. */
  void print(PrintWriter out, String indent) {
    List<String[]> lines = new ArrayList<>(rows);
    if (!String.join("", header).isEmpty()) {
      lines.add(0, header);
    }
    int[] widths = new int[header.length];
    for (String[] line : lines) {
      for (int i = 0; i < line.length; i++) {
        widths[i] = Math.max(widths[i], line[i].length());
      }
    }
    for (String[] line : lines) {
      StringBuilder text = new StringBuilder(indent);
      for (int i = 0; i < line.length; i++) {
        String pad = " ".repeat(widths[i] - line[i].length());
        text.append(i == 0 ? "" : GAP).append(right[i] ? pad + line[i] : line[i] + pad);
      }
      out.println(text.toString().stripTrailing());
    }
  }
}
