package io.github.ema4j.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads JSON of a known form, token by token. Whatever is amiss, keys that are there twice and text
 * after the end included, is told as a {@link CheckpointException}.
 */
final class StrictJson implements AutoCloseable {
  private static final int MAX_DEPTH = 4;
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          // Names come from the file: a table of all that were ever seen would grow with them.
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxNameLength(1 << 16)
                  .maxStringLength(1 << 24)
                  .build())
          .build();

  private final Path file;
  private final JsonParser parser;
  private @Nullable String entry;

  private StrictJson(Path file, JsonParser parser) {
    this.file = file;
    this.parser = parser;
  }

  /**
   * Starts reading.
   *
   * @param file what to call it in messages
   */
  static StrictJson of(Path file, byte[] utf8) {
    InputStreamReader text =
        new InputStreamReader(
            new ByteArrayInputStream(utf8),
            StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT));
    try {
      return new StrictJson(file, FACTORY.createParser(text));
    } catch (IOException e) {
      throw new CheckpointException(file, null, "malformed JSON: " + e.getMessage(), e);
    }
  }

  /** Says which entry messages are to name from now on. */
  void entry(@Nullable String name) {
    entry = name;
  }

  /** Reads the beginning of an object. */
  void beginObject() {
    expect(JsonToken.START_OBJECT);
  }

  /** Reads the beginning of an object, or skips a value that is none; tells which. */
  boolean beginObjectOrSkip() {
    if (next() == JsonToken.START_OBJECT) {
      return true;
    }
    skipChildren();
    return false;
  }

  /** Reads the next key of an object, or the object's end. */
  Optional<String> nextKey() {
    return next() == JsonToken.END_OBJECT ? Optional.empty() : Optional.of(name());
  }

  /** Reads a string. */
  String string() {
    expect(JsonToken.VALUE_STRING);
    return text();
  }

  /** Reads the beginning of an array. */
  void beginArray() {
    expect(JsonToken.START_ARRAY);
  }

  /** Tells whether the array has another number, and reads the one or the array's end. */
  boolean hasNumber() {
    return next() != JsonToken.END_ARRAY;
  }

  /** Returns the number that was read, which must be whole, from 0 and below 2^63. */
  long number() {
    if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
      throw failure("expected a whole number, but found " + found());
    }
    long value;
    try {
      value = parser.getLongValue();
    } catch (IOException e) {
      throw failure("expected a number below 2^63: " + message(e));
    }
    if (value < 0) {
      throw failure("expected a number from 0, but found " + value);
    }
    return value;
  }

  /** Skips a value, whatever it is. */
  void skip() {
    next();
    skipChildren();
  }

  private void skipChildren() {
    try {
      parser.skipChildren();
    } catch (IOException e) {
      throw failure("malformed JSON: " + message(e));
    }
  }

  /** Checks that nothing follows but white space. */
  void end() {
    entry = null;
    JsonToken token = next();
    if (token != null) {
      throw failure("nothing may follow the end, but there is " + found());
    }
  }

  CheckpointException failure(String reason) {
    return new CheckpointException(file, entry, reason, null);
  }

  @Override
  public void close() {
    try {
      parser.close();
    } catch (IOException e) {
      throw failure(message(e));
    }
  }

  private void expect(JsonToken token) {
    if (next() != token) {
      throw failure("expected " + spelled(token) + ", but found " + found());
    }
  }

  private @Nullable JsonToken next() {
    try {
      return parser.nextToken();
    } catch (IOException e) {
      throw failure("malformed JSON: " + message(e));
    }
  }

  private String name() {
    try {
      String name = parser.currentName();
      if (name == null) {
        throw failure("expected a key, but found " + found());
      }
      return name;
    } catch (IOException e) {
      throw failure("malformed JSON: " + message(e));
    }
  }

  private String text() {
    try {
      return parser.getText();
    } catch (IOException e) {
      throw failure("malformed JSON: " + message(e));
    }
  }

  private String found() {
    JsonToken token = parser.currentToken();
    return token == null ? "the end" : spelled(token);
  }

  private static String spelled(JsonToken token) {
    return switch (token) {
      case START_OBJECT -> "'{'";
      case END_OBJECT -> "'}'";
      case START_ARRAY -> "'['";
      case END_ARRAY -> "']'";
      case FIELD_NAME -> "a key";
      case VALUE_STRING -> "a string";
      case VALUE_NUMBER_INT -> "a number";
      case VALUE_NUMBER_FLOAT -> "a number with a fraction";
      case VALUE_TRUE, VALUE_FALSE -> "a truth value";
      case VALUE_NULL -> "null";
      case VALUE_EMBEDDED_OBJECT, NOT_AVAILABLE -> throw new AssertionError(token);
    };
  }

  /** Returns the first line of a message: the others tell where in memory the text is. */
  private static String message(IOException e) {
    String message = e.getMessage();
    return message == null ? e.toString() : message.lines().findFirst().orElse("");
  }
}
