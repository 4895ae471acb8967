package io.github.ema4j;

import com.google.common.base.Ascii;
import com.google.common.base.CharMatcher;
import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Guesses what was meant by a name that does not exist. */
final class Nearest {
  private static final int LONGEST_NAME = 100;
  private static final CharMatcher SEPARATORS = CharMatcher.anyOf("-_ \"");

  private Nearest() {}

  /**
   * Returns the name nearest to a text: with as few letters put in, left out, changed or swapped as
   * possible, and not more than a third of them. Case and separators do not count. Of a path, the
   * last part may be what was meant.
   */
  static Optional<String> of(String text, Collection<String> names) {
    if (text.length() > LONGEST_NAME) { // whoever wrote it may want it to take for ever
      return Optional.empty();
    }
    return names.stream()
        .filter(name -> distance(text, name) <= Math.max(1, lastPart(text).length() / 3))
        .min(Comparator.comparingInt(name -> distance(text, name)));
  }

  /** Returns {@code "; did you mean ...?"}, nothing if no name is near. */
  static String hint(String text, Collection<String> names) {
    return of(text, names).map(name -> "; did you mean " + name + "?").orElse("");
  }

  private static int distance(String text, String name) {
    int whole = edits(plain(text), plain(name));
    int last = edits(plain(lastPart(text)), plain(lastPart(name)));
    return Math.min(whole, last + 1);
  }

  private static String lastPart(String path) {
    return path.substring(path.lastIndexOf('.') + 1);
  }

  private static String plain(String text) {
    return Ascii.toLowerCase(SEPARATORS.removeFrom(text));
  }

  /** Returns the distance of optimal string alignment: Levenshtein's and swaps of neighbours. */
  private static int edits(String from, String to) {
    int[][] edits = new int[from.length() + 1][to.length() + 1];
    for (int i = 0; i <= from.length(); i++) {
      for (int j = 0; j <= to.length(); j++) {
        edits[i][j] = i == 0 || j == 0 ? i + j : cheapest(edits, from, to, i, j);
      }
    }
    return edits[from.length()][to.length()];
  }

  private static int cheapest(int[][] edits, String from, String to, int i, int j) {
    boolean same = from.charAt(i - 1) == to.charAt(j - 1);
    int cheapest = edits[i - 1][j - 1] + (same ? 0 : 1);
    cheapest = Math.min(cheapest, 1 + Math.min(edits[i - 1][j], edits[i][j - 1]));
    boolean swapped =
        i > 1
            && j > 1
            && from.charAt(i - 1) == to.charAt(j - 2)
            && from.charAt(i - 2) == to.charAt(j - 1);
    return swapped ? Math.min(cheapest, 1 + edits[i - 2][j - 2]) : cheapest;
  }
}
