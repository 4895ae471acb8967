package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Names where a tensor's memory is.
 *
 * @param type the kind of device in lower case, such as {@code cpu} or {@code cuda}
 * @param index which of them, from 0
 */
public record Device(String type, int index) {

  /** Host memory. */
  public static final Device CPU = new Device("cpu", 0);

  private static final Pattern FORM = Pattern.compile("([a-z]+)(?::(\\d{1,4}))?");

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if the type is not a lower-case word or the index is negative
   */
  public Device {
    checkArgument(
        type.matches("[a-z]+"), "device type must be a lower-case word, but was '%s'", type);
    checkArgument(index >= 0, "device index must not be negative, but was %s", index);
    checkArgument(
        index == 0 || !type.equals("cpu"), "there is one cpu, with index 0, but it was %s", index);
  }

  /**
   * Reads the form that {@link #toString} writes: {@code cpu}, {@code cuda}, {@code cuda:1}.
   *
   * @throws IllegalArgumentException if the text has another form
   */
  public static Device parse(String text) {
    Matcher matcher = FORM.matcher(text);
    checkArgument(matcher.matches(), "device must look like 'cpu' or 'cuda:0', but was '%s'", text);
    String index = matcher.group(2);
    return new Device(matcher.group(1), index == null ? 0 : Integer.parseInt(index));
  }

  /** Tells whether this is host memory. */
  public boolean isCpu() {
    return type.equals("cpu");
  }

  /** Returns {@code cpu} for host memory, {@code type:index} otherwise. */
  @Override
  public String toString() {
    return isCpu() ? type : type + ":" + index;
  }
}
