package io.github.ema4j.checkpoint;

import static com.google.common.collect.ImmutableList.toImmutableList;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.checkpoint.SafetensorsHeader.Item;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;

/**
 * Reads safetensors files: 8 bytes of length, that much JSON, then the tensors' bytes,
 * little-endian and row-major, without gaps (the format's description,
 * https://github.com/huggingface/safetensors).
 */
final class Safetensors {
  /** What a header may take: as much as the format's own implementation allows. */
  static final long MAX_HEADER = 100_000_000;

  private Safetensors() {}

  /**
   * Reads a file, which is closed with the result.
   *
   * @throws CheckpointException if it is not a sound safetensors file
   */
  static TensorFile read(FileBytes file) {
    SafetensorsHeader header = SafetensorsHeader.parse(file.path(), headerBytes(file));
    long dataBegin = Long.BYTES + headerLength(file);
    checkPlaces(file, header.items(), file.size() - dataBegin);
    ImmutableMap.Builder<String, FileTensor> tensors = ImmutableMap.builder();
    for (Item item : header.items()) {
      long offset = dataBegin + item.begin();
      tensors.put(item.name(), new FileTensor(file, offset, ByteOrder.LITTLE_ENDIAN, item.spec()));
    }
    return new TensorFile(file.path(), header.metadata(), tensors.buildOrThrow(), List.of(file));
  }

  private static byte[] headerBytes(FileBytes file) {
    long length = headerLength(file);
    byte[] json = new byte[(int) length];
    file.slice(Long.BYTES, length).get(json);
    return json;
  }

  private static long headerLength(FileBytes file) {
    if (file.size() < Long.BYTES) {
      throw new CheckpointException(
          file.path(),
          "a safetensors file begins with 8 bytes of length, but this has " + file.size());
    }
    long length = file.slice(0, Long.BYTES).getLong(0);
    if (length < 0 || length > MAX_HEADER) {
      throw new CheckpointException(
          file.path(),
          String.format(
              "the header of a safetensors file has at most %s bytes, but this one's length is %s;"
                  + " it is not such a file, or damaged",
              MAX_HEADER, Long.toUnsignedString(length)));
    }
    if (length > file.size() - Long.BYTES) {
      throw new CheckpointException(
          file.path(),
          String.format(
              "the header is %s bytes long, but the file ends after %s of them: it was cut off",
              length, file.size() - Long.BYTES));
    }
    return length;
  }

  /** Checks that the tensors fill the data, each byte belonging to one of them. */
  private static void checkPlaces(FileBytes file, List<Item> items, long dataLength) {
    List<Item> byPlace =
        items.stream()
            .sorted(Comparator.comparingLong(Item::begin).thenComparingLong(Item::end))
            .collect(toImmutableList());
    long end = 0;
    for (Item item : byPlace) {
      if (item.end() > dataLength) {
        throw new CheckpointException(
            file.path(),
            item.name(),
            String.format(
                "it ends at byte %s, but there are %s bytes of data: the file was cut off",
                item.end(), dataLength),
            null);
      }
      if (item.begin() != end) {
        throw new CheckpointException(
            file.path(),
            item.name(),
            String.format(
                "it begins at byte %s of the data, but the one before ends at %s: there must be"
                    + " neither gap nor overlap",
                item.begin(), end),
            null);
      }
      end = item.end();
    }
    if (end != dataLength) {
      throw new CheckpointException(
          file.path(),
          String.format("%s bytes follow the last tensor; nothing may", dataLength - end));
    }
  }

  /**
   * Checks a file's digest, if it has one.
   *
   * @throws CheckpointException if it is another
   */
  static void verify(FileBytes file) {
    byte[] header = headerBytes(file);
    String written = SafetensorsHeader.parse(file.path(), header).metadata().get(Sha256Field.KEY);
    if (written == null) {
      return;
    }
    OptionalInt index = Sha256Field.indexIn(header);
    if (index.isEmpty()) {
      throw new CheckpointException(
          file.path(),
          Sha256Field.KEY,
          "another program has written the header anew; have it leave this key out",
          null);
    }
    long field = (long) Long.BYTES + index.getAsInt();
    byte[] blank = Sha256Field.EMPTY.getBytes(StandardCharsets.US_ASCII);
    requireSame(file, FileDigest.of(file, blank, field), written);
  }

  /**
   * Checks the digest of a file as a whole.
   *
   * @throws CheckpointException if it is another
   */
  static void verify(FileBytes file, String written) {
    requireSame(file, FileDigest.of(file, new byte[0], 0), written);
  }

  private static void requireSame(FileBytes file, String computed, String written) {
    if (!computed.equals(written)) {
      throw new CheckpointException(
          file.path(),
          String.format(
              "the file was damaged or changed: its digest is %s, but was %s when it was written",
              computed, written));
    }
  }
}
