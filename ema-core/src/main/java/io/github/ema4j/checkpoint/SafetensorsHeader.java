package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the header of a safetensors file says.
 *
 * @param metadata the strings under {@code __metadata__}
 * @param items the tensors in the header's order
 */
record SafetensorsHeader(ImmutableMap<String, String> metadata, ImmutableList<Item> items) {
  static final String METADATA = "__metadata__";
  private static final int MAX_RANK = 64; // frameworks have no more

  /**
   * A tensor of the file.
   *
   * @param begin its first byte in the data
   * @param end the byte after its last; as far from the first as its spec asks for
   */
  record Item(String name, TensorSpec spec, long begin, long end) {}

  /**
   * Parses a header. Names are unique, types known, sizes as types and shapes ask for.
   *
   * @param file what to call it in messages
   * @throws CheckpointException if it is malformed
   */
  static SafetensorsHeader parse(Path file, byte[] utf8) {
    ImmutableMap.Builder<String, String> metadata = ImmutableMap.builder();
    ImmutableList.Builder<Item> items = ImmutableList.builder();
    try (StrictJson json = StrictJson.of(file, utf8)) {
      json.beginObject();
      for (Optional<String> key = json.nextKey(); key.isPresent(); key = json.nextKey()) {
        String name = key.get();
        json.entry(name);
        if (name.equals(METADATA)) {
          readMetadata(json, metadata);
        } else {
          items.add(readItem(json, name));
        }
      }
      json.end();
    }
    return new SafetensorsHeader(metadata.buildOrThrow(), items.build());
  }

  private static void readMetadata(StrictJson json, ImmutableMap.Builder<String, String> metadata) {
    json.beginObject();
    for (Optional<String> key = json.nextKey(); key.isPresent(); key = json.nextKey()) {
      metadata.put(key.get(), json.string());
    }
  }

  private static Item readItem(StrictJson json, String name) {
    @Nullable ElementType type = null;
    @Nullable ImmutableLongArray shape = null;
    @Nullable ImmutableLongArray offsets = null;
    json.beginObject();
    for (Optional<String> key = json.nextKey(); key.isPresent(); key = json.nextKey()) {
      switch (key.get()) {
        case "dtype" -> type = type(json);
        case "shape" -> shape = numbers(json, MAX_RANK, "a shape");
        case "data_offsets" -> offsets = numbers(json, 2, "data_offsets");
        default -> throw json.failure("unknown key '" + key.get() + "'");
      }
    }
    if (type == null || shape == null || offsets == null || offsets.length() != 2) {
      throw json.failure("it needs dtype, shape and two data_offsets");
    }
    return item(json, name, type, shape, offsets.get(0), offsets.get(1));
  }

  private static Item item(
      StrictJson json,
      String name,
      ElementType type,
      ImmutableLongArray shape,
      long begin,
      long end) {
    TensorSpec spec;
    try {
      spec = TensorSpec.contiguous(type, shape.toArray());
    } catch (IllegalArgumentException e) {
      throw json.failure(String.valueOf(e.getMessage()));
    }
    long length = end - begin; // neither is negative; nor is a number of elements
    if (length % type.bytes() != 0 || length / type.bytes() != spec.elements()) {
      throw json.failure(
          String.format(
              "%s of shape %s has %s elements of %s bytes, but its data_offsets are [%s, %s]",
              type, shape, spec.elements(), type.bytes(), begin, end));
    }
    return new Item(name, spec, begin, end);
  }

  private static ElementType type(StrictJson json) {
    String name = json.string();
    return Arrays.stream(ElementType.values())
        .filter(type -> type.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                json.failure(
                    "type '" + name + "' is not one of " + Arrays.toString(ElementType.values())));
  }

  private static ImmutableLongArray numbers(StrictJson json, int most, String what) {
    ImmutableLongArray.Builder numbers = ImmutableLongArray.builder();
    json.beginArray();
    for (int count = 0; json.hasNumber(); count++) {
      if (count == most) {
        throw json.failure(what + " has at most " + most + " numbers");
      }
      numbers.add(json.number());
    }
    return numbers.build();
  }
}
