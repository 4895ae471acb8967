package io.github.ema4j.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Collects the rows of a table. */
final class MarkdownTable {
  private final List<String> lines = new ArrayList<>();

  MarkdownTable(String... columns) {
    row(columns);
    row(Collections.nCopies(columns.length, "---").toArray(String[]::new));
  }

  void row(String... cells) {
    lines.add("| " + String.join(" | ", cells) + " |");
  }

  List<String> lines() {
    return lines;
  }
}
