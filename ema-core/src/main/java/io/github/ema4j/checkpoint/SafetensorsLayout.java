package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.github.ema4j.TensorSpec;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Where tensors lie in safetensors files, and what the headers say of it. */
final class SafetensorsLayout {
  private static final int ALIGNMENT = 64; // of the data, so that no element straddles a line

  /** A tensor to be written. */
  interface Item {
    String name();

    TensorSpec spec();

    /** Returns how many bytes the tensor takes. */
    default long bytes() {
      return spec().bytes();
    }
  }

  private SafetensorsLayout() {}

  /**
   * Splits tensors into those of several files, in their order.
   *
   * @param maxShardBytes how many bytes of tensors a file has at most, unless it has one tensor
   * @throws IllegalArgumentException if the limit is not positive
   */
  static <T extends Item> List<List<T>> shards(List<T> items, long maxShardBytes) {
    checkArgument(maxShardBytes >= 1, "a shard must have room, but has %s bytes", maxShardBytes);
    List<List<T>> shards = new ArrayList<>();
    long room = 0;
    for (T item : items) {
      if (shards.isEmpty() || item.bytes() > room) {
        shards.add(new ArrayList<>());
        room = maxShardBytes;
      }
      shards.get(shards.size() - 1).add(item);
      room -= item.bytes();
    }
    return shards;
  }

  /** Returns the tensors of a file in the order of their data. */
  static <T extends Item> List<T> inDataOrder(List<T> items) {
    List<T> ordered = new ArrayList<>(items);
    Comparator<T> bySize = Comparator.comparing(item -> item.spec().type().bytes());
    ordered.sort(bySize.reversed()); // so that each is aligned, whatever comes before it
    return ordered;
  }

  /**
   * Returns a file's header without its length.
   *
   * @param target what to call the file in messages
   * @throws IllegalArgumentException if names and metadata do not fit one
   */
  static byte[] header(Path target, Map<String, String> metadata, List<? extends Item> items) {
    Map<String, Long> begins = new HashMap<>();
    long end = 0;
    for (Item item : inDataOrder(items)) {
      begins.put(item.name(), end);
      end = Math.addExact(end, item.bytes());
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.writeStartObject();
      json.writeObjectFieldStart(SafetensorsHeader.METADATA);
      for (Map.Entry<String, String> note : metadata.entrySet()) {
        json.writeStringField(note.getKey(), note.getValue());
      }
      json.writeEndObject();
      for (Item item : items) {
        writeItem(json, item, requireNonNull(begins.get(item.name())));
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // it is written to memory
    }
    while ((Long.BYTES + bytes.size()) % ALIGNMENT != 0) {
      bytes.write(' ');
    }
    checkArgument(
        bytes.size() <= Safetensors.MAX_HEADER,
        "names and metadata take %s bytes, but a safetensors header has at most %s",
        bytes.size(),
        Safetensors.MAX_HEADER);
    byte[] header = bytes.toByteArray();
    SafetensorsHeader.parse(target, header); // what could not be read is not written
    return header;
  }

  private static void writeItem(JsonGenerator json, Item item, long begin) throws IOException {
    long[] shape = item.spec().shape().toArray();
    json.writeObjectFieldStart(item.name());
    json.writeStringField("dtype", item.spec().type().name());
    json.writeFieldName("shape");
    json.writeArray(shape, 0, shape.length);
    json.writeFieldName("data_offsets");
    json.writeArray(new long[] {begin, begin + item.bytes()}, 0, 2);
    json.writeEndObject();
  }
}
