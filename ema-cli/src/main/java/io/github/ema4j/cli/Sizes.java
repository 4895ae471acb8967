package io.github.ema4j.cli;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Numbers of bytes as people read and write them. */
final class Sizes implements ITypeConverter<Long> {
  private static final Pattern TEXT = Pattern.compile("([0-9]+(?:\\.[0-9]+)?)([KMGT]?)(i?B?)");
  private static final String POWERS = "KMGT";
  private static final String UNITS = " kMGTPE";

  /**
   * Reads {@code 512M} and {@code 2GiB} (in powers of 1024), {@code 5GB} (of 1000), {@code 1024}.
   */
  @Override
  public Long convert(String text) {
    Matcher parts = TEXT.matcher(text);
    if (parts.matches()) {
      long base = parts.group(3).equals("B") ? 1000 : 1024;
      int power = parts.group(2).isEmpty() ? 0 : POWERS.indexOf(parts.group(2)) + 1;
      BigDecimal bytes =
          new BigDecimal(parts.group(1)).multiply(BigDecimal.valueOf(base).pow(power));
      if (bytes.signum() > 0 && bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) <= 0) {
        return bytes.longValue();
      }
    }
    throw new TypeConversionException("'" + text + "' is no size such as 512M, 2GiB or 5GB");
  }

  /** Writes a number of bytes in powers of 1000, such as {@code 102.2 MB}. */
  static String text(long bytes) {
    double shown = bytes;
    int power = 0;
    while (shown >= 999.95) {
      shown /= 1000;
      power++;
    }
    return power == 0
        ? bytes + " B"
        : String.format(Locale.ROOT, "%.1f %cB", shown, UNITS.charAt(power));
  }
}
