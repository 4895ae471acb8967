package io.github.ema4j.testkit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.google.common.collect.ImmutableMap;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.ElementType;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The contents of a small safetensors file, tensors in the order of its header.
 *
 * @param metadata the strings under {@code __metadata__}
 * @param tensors the tensors by name
 */
record SafetensorsFile(
    ImmutableMap<String, String> metadata, ImmutableMap<String, ArrayTensor> tensors) {

  private record Header(ElementType type, ImmutableLongArray shape, int begin, int end) {}

  /**
   * Reads a whole file.
   *
   * @throws IOException if it is not a safetensors file
   */
  static SafetensorsFile parse(byte[] file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    if (file.length < Long.BYTES || bytes.getLong(0) < 0 || bytes.getLong(0) > file.length - 8) {
      throw new IOException("no safetensors file: the header's length does not fit");
    }
    int headerLength = (int) bytes.getLong(0);
    ImmutableMap.Builder<String, String> metadata = ImmutableMap.builder();
    Map<String, Header> headers = new LinkedHashMap<>();
    try (JsonParser json = new JsonFactory().createParser(file, Long.BYTES, headerLength)) {
      expect(json, JsonToken.START_OBJECT);
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        expect(json, JsonToken.START_OBJECT);
        if (name.equals("__metadata__")) {
          while (json.nextToken() != JsonToken.END_OBJECT) {
            metadata.put(json.currentName(), json.nextTextValue());
          }
        } else {
          headers.put(name, header(json));
        }
      }
    }
    ByteBuffer data =
        bytes.position(Long.BYTES + headerLength).slice().order(ByteOrder.LITTLE_ENDIAN);
    ImmutableMap.Builder<String, ArrayTensor> tensors = ImmutableMap.builder();
    headers.forEach((name, header) -> tensors.put(name, tensor(header, data)));
    return new SafetensorsFile(metadata.buildOrThrow(), tensors.buildOrThrow());
  }

  private static Header header(JsonParser json) throws IOException {
    ElementType type = ElementType.U8;
    ImmutableLongArray shape = ImmutableLongArray.of();
    ImmutableLongArray offsets = ImmutableLongArray.of();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      switch (json.currentName()) {
        case "dtype" -> type = ElementType.valueOf(json.nextTextValue());
        case "shape" -> shape = numbers(json);
        case "data_offsets" -> offsets = numbers(json);
        default -> throw new IOException("unknown key '" + json.currentName() + "' in the header");
      }
    }
    return new Header(type, shape, (int) offsets.get(0), (int) offsets.get(1));
  }

  private static ImmutableLongArray numbers(JsonParser json) throws IOException {
    ImmutableLongArray.Builder numbers = ImmutableLongArray.builder();
    expect(json, JsonToken.START_ARRAY);
    while (json.nextToken() != JsonToken.END_ARRAY) {
      numbers.add(json.getLongValue());
    }
    return numbers.build();
  }

  private static void expect(JsonParser json, JsonToken token) throws IOException {
    if (json.nextToken() != token) {
      throw new IOException(
          "expected " + token + " in the header, but found " + json.currentToken());
    }
  }

  private static ArrayTensor tensor(Header header, ByteBuffer data) {
    ByteBuffer bytes =
        data.slice(header.begin, header.end - header.begin).order(ByteOrder.LITTLE_ENDIAN);
    int elements = bytes.remaining() / header.type.bytes();
    Object array =
        switch (header.type) {
          case F64 -> {
            double[] values = new double[elements];
            bytes.asDoubleBuffer().get(values);
            yield values;
          }
          case F32 -> {
            float[] values = new float[elements];
            bytes.asFloatBuffer().get(values);
            yield values;
          }
          case I64 -> {
            long[] values = new long[elements];
            bytes.asLongBuffer().get(values);
            yield values;
          }
          case I32 -> {
            int[] values = new int[elements];
            bytes.asIntBuffer().get(values);
            yield values;
          }
          case F16, BF16, I16 -> {
            short[] values = new short[elements];
            bytes.asShortBuffer().get(values);
            yield values;
          }
          case I8, U8, BOOL -> {
            byte[] values = new byte[elements];
            bytes.get(values);
            yield values;
          }
        };
    return ArrayTensor.of(header.type, array, header.shape.toArray());
  }
}
