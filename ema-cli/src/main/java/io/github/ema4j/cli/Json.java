package io.github.ema4j.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;

/** Writes results for programs: one JSON object. */
final class Json {

  /** What the object has in it. */
  interface Content {
    /** Writes its fields. */
    void writeTo(JsonGenerator json) throws IOException;
  }

  private Json() {}

  /** Writes an object and a line's end. */
  static void write(PrintWriter out, Content content) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      content.writeTo(json);
      json.writeEndObject();
    }
    out.println(text);
    out.flush();
  }
}
