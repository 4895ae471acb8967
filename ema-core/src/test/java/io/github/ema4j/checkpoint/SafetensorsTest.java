package io.github.ema4j.checkpoint;

import static io.github.ema4j.checkpoint.SafetensorsBytes.file;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.github.ema4j.ElementType;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsTest {

  @Test
  void tensorsAreReadWhereTheyLie() {
    byte[] bytes =
        file(
            """
            {"__metadata__":{"made":"by hand"},
             "b":{"dtype":"I64","shape":[],"data_offsets":[1,9]},
             "a":{"dtype":"U8","shape":[1,1],"data_offsets":[0,1]},
             "none":{"dtype":"F32","shape":[3,0],"data_offsets":[9,9]}}  \
            """,
            new byte[] {7, 1, 2, 0, 0, 0, 0, 0, 0});

    try (TensorFile read = SafetensorsBytes.read(bytes)) {
      assertThat(read.metadata()).containsExactly(Map.entry("made", "by hand"));
      assertThat(read.tensors().keySet()).containsExactly("b", "a", "none");
      FileTensor b = read.tensors().get("b");
      LongBuffer longs = (LongBuffer) b.memory().segmentAt(0);
      assertThat(longs.get(b.memory().indexAt(0))).isEqualTo(0x201);
      assertThat(read.tensors().get("none").spec().elements()).isZero();
      assertThat(read.tensors().get("none").memory().elements()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyElementTypeIsKnown(ElementType type) {
    byte[] bytes =
        file(
            String.format(
                "{\"x\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%d]}}",
                type, type.bytes()),
            new byte[type.bytes()]);

    try (TensorFile read = SafetensorsBytes.read(bytes)) {
      FileTensor tensor = read.tensors().get("x");
      assertThat(tensor.spec().type()).isEqualTo(type);
      assertThat(tensor.memory().elements()).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @MethodSource("malformedFiles")
  void whatIsMalformedIsRefused(String expected, byte[] bytes) {
    assertThatThrownBy(() -> SafetensorsBytes.read(bytes))
        .isInstanceOf(CheckpointException.class)
        .hasMessageStartingWith("test.safetensors: ")
        .hasMessageContaining(expected);
  }

  static Stream<Arguments> malformedFiles() {
    String x = "\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
    byte[] four = new byte[4];
    return Stream.of(
        arguments("8 bytes of length, but this has 0", new byte[0]),
        arguments("8 bytes of length, but this has 7", new byte[7]),
        arguments("at most 100000000 bytes", file(100_000_001, "{}")),
        arguments("length is 18446744073709551615", file(-1, "{}")),
        arguments("ends after 2 of them", file(3, "{}")),
        arguments("expected '{', but found the end", file("")),
        arguments("expected '{', but found '['", file("[]")),
        arguments("malformed JSON", file("{")),
        arguments("malformed JSON", file("{\"x\"}")),
        arguments("nothing may follow the end", file("{} {}")),
        arguments("malformed JSON", file("{}\0")),
        arguments("bytes follow the last tensor", file("{}", four)),
        arguments("4 bytes follow the last tensor", file("{" + x + "}", new byte[8])),
        arguments("'x': it ends at byte 4, but there are 3", file("{" + x + "}", new byte[3])),
        arguments("Duplicate field 'x'", file("{" + x + "," + x + "}", four)),
        arguments(
            "Duplicate field 'dtype'",
            file(
                tensor(
                    "\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"))),
        arguments("Duplicate field 'k'", file("{\"__metadata__\":{\"k\":\"v\",\"k\":\"v\"}}")),
        arguments(
            "Duplicate field '__metadata__'", file("{\"__metadata__\":{},\"__metadata__\":{}}")),
        arguments(
            "'__metadata__': expected a string, but found a number",
            file("{\"__metadata__\":{\"k\":1}}")),
        arguments(
            "'__metadata__': expected a string, but found '{'",
            file("{\"__metadata__\":{\"k\":{}}}")),
        arguments(
            "'y': it begins at byte 3 of the data, but the one before ends at 4",
            file("{" + x + ",\"y\":" + bytes(1, 3, 4) + "}", four)),
        arguments(
            "'y': it begins at byte 5 of the data, but the one before ends at 4",
            file("{" + x + ",\"y\":" + bytes(1, 5, 6) + "}", new byte[6])),
        arguments("begins at byte 1 of the data", file("{\"y\":" + bytes(1, 1, 2) + "}", four)),
        arguments("data_offsets are [2, 1]", file("{\"y\":" + bytes(1, 2, 1) + "}", four)),
        arguments(
            "F32 of shape [1] has 1 elements of 4 bytes, but its data_offsets are [0, 5]",
            file(tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,5]"), new byte[5])),
        arguments("data_offsets are [0, 2]", file("{\"y\":" + bytes(1, 0, 2) + "}", four)),
        arguments(
            "expected a number from 0, but found -1",
            file(tensor("\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]"))),
        arguments(
            "expected a whole number, but found a number with a fraction",
            file(tensor("\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]"))),
        arguments(
            "expected a whole number, but found a string",
            file(tensor("\"dtype\":\"U8\",\"shape\":[\"1\"],\"data_offsets\":[0,1]"))),
        arguments(
            "expected a number below 2^63",
            file(
                tensor("\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,1]"))),
        arguments(
            "too many elements",
            file(
                tensor(
                    "\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]"))),
        arguments(
            "has 4611686018427387904 elements",
            file(
                tensor(
                    "\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]"))),
        arguments(
            "type 'U64' is not one of [F64, F32",
            file(tensor("\"dtype\":\"U64\",\"shape\":[],\"data_offsets\":[0,8]"))),
        arguments(
            "'x': unknown key 'stride'",
            file(tensor("\"stride\":1,\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,8]"))),
        arguments(
            "needs dtype, shape and two data_offsets",
            file(tensor("\"shape\":[],\"data_offsets\":[0,8]"))),
        arguments(
            "needs dtype, shape and two data_offsets",
            file(tensor("\"dtype\":\"U8\",\"data_offsets\":[0,8]"))),
        arguments(
            "needs dtype, shape and two data_offsets",
            file(tensor("\"dtype\":\"U8\",\"shape\":[]"))),
        arguments(
            "needs dtype, shape and two data_offsets",
            file(tensor("\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0]"))),
        arguments(
            "data_offsets has at most 2 numbers",
            file(tensor("\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1,2]"))),
        arguments(
            "a shape has at most 64 numbers",
            file(
                tensor(
                    "\"dtype\":\"U8\",\"shape\":["
                        + "1,".repeat(64)
                        + "1],\"data_offsets\":[0,1]"))),
        arguments(
            "expected a whole number, but found '['",
            file(tensor("\"dtype\":\"U8\",\"shape\":[[1]],\"data_offsets\":[0,1]"))),
        arguments("malformed JSON", invalidUtf8()));
  }

  @Test
  void deepNestingIsRefusedWithoutRecursion() {
    byte[] bytes = file("{\"a\":".repeat(1_000_000));

    assertThatThrownBy(() -> SafetensorsBytes.read(bytes)).isInstanceOf(CheckpointException.class);
  }

  @Test
  void longTextsAreRefused() {
    String header = "{\"__metadata__\":{\"k\":\"" + "x".repeat(1 << 24) + "\"}}";
    SafetensorsBytes.read(file(header)).close();

    assertThatThrownBy(() -> SafetensorsBytes.read(file(header.replace("xx\"", "xxx\""))))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("16777217")
        .hasMessageContaining("16777216");
  }

  @Test
  void exceptionsTellTheirParts() {
    byte[] bytes = file(tensor("\"dtype\":\"X\""));

    assertThatThrownBy(() -> SafetensorsBytes.read(bytes))
        .isInstanceOfSatisfying(
            CheckpointException.class,
            e -> {
              assertThat(e.file()).contains(Path.of("test.safetensors"));
              assertThat(e.entry()).contains("x");
              assertThat(e.reason()).startsWith("type 'X' is not one of");
            });
  }

  @Test
  void floatsAreReadInLittleEndianOrder() {
    byte[] bytes =
        file(tensor("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"), b(0, 0, 128, 63));

    try (TensorFile read = SafetensorsBytes.read(bytes)) {
      FloatBuffer floats = (FloatBuffer) read.tensors().get("x").memory().segmentAt(0);
      assertThat(floats.get(0)).isEqualTo(1f);
    }
  }

  private static byte[] invalidUtf8() {
    byte[] bytes = file("{\"y\":" + bytes(1, 0, 1) + "}", b(1));
    bytes[10] = (byte) 0xff;
    return bytes;
  }

  private static String tensor(String keys) {
    return "{\"x\":{" + keys + "}}";
  }

  private static String bytes(int size, int begin, int end) {
    return String.format(
        "{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]}", size, begin, end);
  }

  private static byte[] b(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }
}
