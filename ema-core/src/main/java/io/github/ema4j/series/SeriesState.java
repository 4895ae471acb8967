package io.github.ema4j.series;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.google.common.base.Enums;
import com.google.common.primitives.ImmutableDoubleArray;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The state of an average by name: texts, whole numbers, numbers and lists of these; as JSON, one
 * flat object. Whoever reads takes each part out, and what is left at the end is one too many.
 */
final class SeriesState {
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private final Map<String, Object> parts = new LinkedHashMap<>();

  void put(String name, String text) {
    parts.put(name, text);
  }

  void put(String name, long whole) {
    parts.put(name, whole);
  }

  void put(String name, double number) {
    parts.put(name, number);
  }

  void put(String name, double[] numbers) {
    parts.put(name, numbers);
  }

  String toJson() {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.writeStartObject();
      for (Map.Entry<String, Object> part : parts.entrySet()) {
        json.writeFieldName(part.getKey());
        if (part.getValue() instanceof double[] numbers) {
          json.writeArray(numbers, 0, numbers.length);
        } else if (part.getValue() instanceof Double number) {
          json.writeNumber(number);
        } else if (part.getValue() instanceof Long whole) {
          json.writeNumber(whole);
        } else {
          json.writeString(part.getValue().toString());
        }
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @throws IllegalArgumentException if it is not one flat object
   */
  static SeriesState ofJson(String text) {
    SeriesState state = new SeriesState();
    try (JsonParser json = JSON.createParser(text)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw malformed("it must be a JSON object");
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName();
        json.nextToken();
        state.parts.put(name, part(name, json));
      }
      if (json.nextToken() != null) {
        throw malformed("something follows the end");
      }
    } catch (IOException e) {
      throw new IllegalArgumentException("malformed state: " + firstLine(e), e);
    }
    return state;
  }

  private static Object part(String name, JsonParser json) throws IOException {
    return switch (json.currentToken()) {
      case VALUE_STRING -> json.getText();
      case VALUE_NUMBER_INT -> json.getLongValue();
      case VALUE_NUMBER_FLOAT -> json.getDoubleValue();
      case START_ARRAY -> numbers(name, json);
      default -> throw malformed("'" + name + "' has " + json.getText());
    };
  }

  private static double[] numbers(String name, JsonParser json) throws IOException {
    ImmutableDoubleArray.Builder numbers = ImmutableDoubleArray.builder();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (!json.currentToken().isNumeric()) {
        throw malformed("'" + name + "' must have numbers alone, but has " + json.getText());
      }
      numbers.add(json.getDoubleValue());
    }
    return numbers.build().toArray();
  }

  /** Takes a text out. */
  String text(String name) {
    return take(name, String.class);
  }

  /** Takes the name of one of a few choices out. */
  <E extends Enum<E>> E choice(String name, Class<E> type) {
    String text = text(name);
    return Enums.getIfPresent(type, text)
        .toJavaUtil()
        .orElseThrow(() -> malformed("'" + name + "' is '" + text + "'"));
  }

  /** Takes a whole number out that must be in [0, max]. */
  long whole(String name, long max) {
    long value = take(name, Long.class);
    if (value < 0 || value > max) {
      throw malformed("'%s' must be in [0, %d], but is %d".formatted(name, max, value));
    }
    return value;
  }

  /** Takes a window's length out. */
  int window(String name) {
    return (int) whole(name, MovingAverage.MAX_WINDOW);
  }

  /** Takes a finite number out. */
  double number(String name) {
    return checked(name, take(name, Number.class).doubleValue());
  }

  /** Takes a list of finite numbers out. */
  double[] numbers(String name) {
    double[] numbers = take(name, double[].class);
    for (double each : numbers) {
      checked(name, each);
    }
    return numbers;
  }

  /** Takes a list of so many finite numbers out. */
  double[] numbers(String name, int length) {
    double[] numbers = numbers(name);
    if (numbers.length != length) {
      throw malformed(
          "'%s' must have %d numbers, but has %d".formatted(name, length, numbers.length));
    }
    return numbers;
  }

  /**
   * Checks that all was taken.
   *
   * @throws IllegalArgumentException if something is left, naming it
   */
  void checkEmpty() {
    if (!parts.isEmpty()) {
      throw malformed("no such average has " + parts.keySet());
    }
  }

  private <V> V take(String name, Class<V> type) {
    Object part = parts.remove(name);
    if (part == null) {
      throw malformed("'" + name + "' is missing");
    }
    if (!type.isInstance(part)) {
      throw malformed("'" + name + "' is of another type");
    }
    return type.cast(part);
  }

  private static double checked(String name, double value) {
    if (!Double.isFinite(value)) {
      throw malformed("'" + name + "' has " + value);
    }
    return value;
  }

  static IllegalArgumentException malformed(String reason) {
    return new IllegalArgumentException("malformed state: " + reason);
  }

  /** Returns the first line of a message: the others tell where in memory the text is. */
  private static String firstLine(IOException e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }
}
