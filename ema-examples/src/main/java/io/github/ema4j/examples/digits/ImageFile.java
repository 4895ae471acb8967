package io.github.ema4j.examples.digits;

import static java.util.Objects.requireNonNull;

import com.google.common.base.CharMatcher;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/**
 * Reads a gzipped CSV of square grey images: a row holds the pixels, numbers of at least 0, and
 * then the label, a whole number of at least 0. Pixels are divided by the largest one of the file.
 */
final class ImageFile {
  private static final CSVFormat FORMAT =
      CSVFormat.DEFAULT.builder().setIgnoreEmptyLines(true).setTrim(true).get();

  private static final int LONGEST_QUOTE = 40;

  private final String name;
  private final List<float[]> pixels = new ArrayList<>();
  private final List<Integer> labels = new ArrayList<>();
  private long lastLine;
  private int columns;
  private int side;
  private float maximum;
  private int maximumLabel;
  private long maximumLabelLine;

  private ImageFile(String name) {
    this.name = name;
  }

  /**
   * Reads a file.
   *
   * @throws InputException if it is missing or malformed, with the line
   */
  static Images read(Path file) {
    Path absolute = file.toAbsolutePath();
    String name = "data file " + absolute;
    if (Files.isDirectory(absolute)) {
      throw new InputException(name + ": is a directory");
    }
    try (InputStream bytes = Files.newInputStream(absolute)) {
      return read(name, bytes);
    } catch (NoSuchFileException e) {
      throw new InputException(name + ": no such file", e);
    } catch (AccessDeniedException e) {
      throw new InputException(name + ": may not be read", e);
    } catch (IOException e) {
      throw new InputException(name + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** Reads a stream, which stays open. */
  static Images read(String name, InputStream bytes) throws IOException {
    ImageFile file = new ImageFile(name);
    try {
      file.parse(bytes);
    } catch (UncheckedIOException e) {
      throw file.damaged(requireNonNull(e.getCause()));
    } catch (ZipException | EOFException e) {
      throw file.damaged(e);
    }
    return file.images();
  }

  private InputException damaged(IOException cause) {
    String where = lastLine == 0 ? "" : ", after line " + lastLine;
    return new InputException(
        name + where + ": is not a whole gzipped CSV: " + cause.getMessage(), cause);
  }

  private void parse(InputStream bytes) throws IOException {
    try (Reader text = new InputStreamReader(new GZIPInputStream(bytes), StandardCharsets.UTF_8);
        CSVParser rows = CSVParser.parse(text, FORMAT)) {
      for (CSVRecord row : rows) {
        add(row, rows.getCurrentLineNumber());
      }
    }
  }

  private void add(CSVRecord row, long line) {
    if (pixels.isEmpty()) {
      columns = row.size();
      side = side(columns - 1, line);
    }
    if (row.size() != columns) {
      throw problem(line, "has " + row.size() + " columns, but the lines before have " + columns);
    }
    float[] image = new float[columns - 1];
    for (int i = 0; i < image.length; i++) {
      image[i] = pixel(row.get(i), line, i + 1);
      maximum = Math.max(maximum, image[i]);
    }
    int label = label(row.get(image.length), line);
    if (label > maximumLabel) {
      maximumLabel = label;
      maximumLabelLine = line;
    }
    pixels.add(image);
    labels.add(label);
    lastLine = line;
  }

  private int side(int count, long line) {
    int root = (int) Math.round(Math.sqrt(count));
    if (count == 0 || root * root != count) {
      throw problem(
          line, "has " + count + " pixels and a label, but " + count + " is not a square");
    }
    return root;
  }

  private float pixel(String text, long line, int column) {
    try {
      float value = Float.parseFloat(text);
      if (value >= 0 && Float.isFinite(value)) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Told below, as for numbers out of range.
    }
    throw problem(
        line,
        "column " + column + ": a pixel must be a number of at least 0, but was " + quoted(text));
  }

  private int label(String text, long line) {
    try {
      int value = Integer.parseInt(text);
      if (value >= 0) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Told below, as for numbers out of range.
    }
    throw problem(
        line,
        "column "
            + columns
            + ": the label must be a whole number of at least 0, but was "
            + quoted(text));
  }

  private static String quoted(String text) {
    String shown = text.length() <= LONGEST_QUOTE ? text : text.substring(0, LONGEST_QUOTE) + "…";
    return "'" + CharMatcher.javaIsoControl().replaceFrom(shown, '?') + "'";
  }

  private InputException problem(long line, String what) {
    return new InputException(name + ", line " + line + ": " + what);
  }

  private Images images() {
    if (pixels.isEmpty()) {
      throw new InputException(name + ": has no rows");
    }
    if (maximum == 0) {
      throw new InputException(name + ": all pixels are 0");
    }
    if (maximumLabel >= pixels.size()) {
      throw problem(
          maximumLabelLine,
          "label " + maximumLabel + " is too large for a file of " + pixels.size() + " rows");
    }
    for (float[] image : pixels) {
      for (int i = 0; i < image.length; i++) {
        image[i] /= maximum;
      }
    }
    return new Images(
        side,
        pixels.toArray(float[][]::new),
        labels.stream().mapToInt(Integer::intValue).toArray());
  }
}
