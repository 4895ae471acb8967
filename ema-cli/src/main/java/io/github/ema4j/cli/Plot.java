package io.github.ema4j.cli;

import java.io.PrintWriter;

/** Draws columns as text. */
final class Plot {
  private static final int HEIGHT = 10;

  private Plot() {}

  /**
   * Draws one plot.
   *
   * @param heights the columns, each in [0, 1]
   */
  static void print(
      PrintWriter out,
      String title,
      double[] heights,
      String top,
      String bottom,
      String left,
      String right) {
    int margin = Math.max(top.length(), bottom.length());
    out.println(title);
    for (int row = HEIGHT; row > 0; row--) {
      String label = row == HEIGHT ? top : row == 1 ? bottom : "";
      StringBuilder line = new StringBuilder(" ".repeat(margin - label.length()) + label + " |");
      for (double height : heights) {
        line.append(Math.round(height * HEIGHT) >= row ? '#' : ' ');
      }
      out.println(line.toString().stripTrailing());
    }
    String axis = " ".repeat(margin) + " +" + "-".repeat(heights.length);
    String gap = " ".repeat(Math.max(1, heights.length - left.length() - right.length()));
    out.println(axis);
    out.println(" ".repeat(margin + 2) + left + gap + right);
  }
}
