package io.github.ema4j;

import com.typesafe.config.ConfigUtil;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Writes values as HOCON in one line: the same text for equal values, on every JDK. */
final class Hocon {
  private static final int DIGITS_OF_A_DOUBLE = 17;

  private Hocon() {}

  /** Returns a table's keys with their values, without braces around them. */
  static String keys(Map<?, ?> table) {
    return table.entrySet().stream()
        .map(entry -> key(entry.getKey()) + assigned(entry.getValue()))
        .collect(Collectors.joining(", "));
  }

  private static String key(Object key) {
    return ConfigUtil.joinPath(key.toString());
  }

  private static String assigned(Object value) {
    return value instanceof Map ? " " + value(value) : " = " + value(value);
  }

  private static String value(Object value) {
    if (value instanceof Map<?, ?> table) {
      return "{ " + keys(table) + " }";
    } else if (value instanceof List<?> list) {
      return list.stream().map(Hocon::value).collect(Collectors.joining(", ", "[", "]"));
    } else if (value instanceof Enum<?> constant) {
      return ConfigSection.spelled(constant);
    } else if (value instanceof Double number) {
      return shortest(number);
    } else if (value instanceof String text) {
      return ConfigUtil.quoteString(text);
    }
    return value.toString();
  }

  /**
   * Returns the shortest decimal that is read back as the same number. ({@code Double.toString} is
   * not always the shortest before JDK 19.)
   */
  static String shortest(double value) {
    if (value == 0) {
      return Double.toString(value); // with its sign
    }
    BigDecimal decimal = shortestDecimal(value);
    boolean whole = decimal.scale() < 0 && decimal.scale() > -DIGITS_OF_A_DOUBLE;
    return (whole ? decimal.setScale(0) : decimal).toString();
  }

  private static BigDecimal shortestDecimal(double value) {
    BigDecimal exact = new BigDecimal(value);
    for (int digits = 1; digits <= DIGITS_OF_A_DOUBLE; digits++) {
      // What is read back as a power of two reaches farther up than down.
      for (RoundingMode mode : List.of(RoundingMode.HALF_EVEN, RoundingMode.UP)) {
        BigDecimal rounded = exact.round(new MathContext(digits, mode));
        if (rounded.doubleValue() == value) {
          return rounded;
        }
      }
    }
    throw new AssertionError(value);
  }
}
