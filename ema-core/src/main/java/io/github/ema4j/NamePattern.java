package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.base.Ascii;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Matches whole names of entries, as the model's state dict gives them (wrapper prefixes such as
 * {@code module.} included).
 *
 * @param syntax how the text is read
 * @param text the pattern
 */
public record NamePattern(Syntax syntax, String text) {

  /** The ways to write a pattern. */
  public enum Syntax {
    /** {@code *} stands for any number of characters, {@code ?} for one, all else for itself. */
    GLOB,
    /** A regular expression as {@link Pattern} defines it. */
    REGEX
  }

  /**
   * Checks that the text is a pattern.
   *
   * @throws IllegalArgumentException if it is empty, or no regular expression
   */
  public NamePattern {
    checkArgument(!text.isEmpty(), "a name pattern must not be empty");
    compile(syntax, text);
  }

  /** Returns the pattern in which {@code *} and {@code ?} are wildcards. */
  public static NamePattern glob(String text) {
    return new NamePattern(Syntax.GLOB, text);
  }

  /**
   * Returns the pattern of a regular expression.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static NamePattern regex(String text) {
    return new NamePattern(Syntax.REGEX, text);
  }

  /** Tells whether a whole name matches. */
  public boolean matches(String name) {
    return compile(syntax, text).matcher(name).matches();
  }

  private static Pattern compile(Syntax syntax, String text) {
    try {
      return Pattern.compile(syntax == Syntax.GLOB ? globAsRegex(text) : text, Pattern.DOTALL);
    } catch (PatternSyntaxException e) {
      throw new IllegalArgumentException(
          "'" + text + "' is no regular expression: " + e.getDescription(), e);
    }
  }

  private static String globAsRegex(String glob) {
    StringBuilder regex = new StringBuilder();
    glob.chars()
        .mapToObj(Character::toString)
        .map(c -> c.equals("*") ? ".*" : c.equals("?") ? "." : Pattern.quote(c))
        .forEach(regex::append);
    return regex.toString();
  }

  /** Returns the pattern with its syntax, such as {@code glob '*.bias'}. */
  @Override
  public String toString() {
    return Ascii.toLowerCase(syntax.name()) + " '" + text + "'";
  }
}
