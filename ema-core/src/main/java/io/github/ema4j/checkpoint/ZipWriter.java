package io.github.ema4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;

/**
 * Writes a zip file of stored entries as PyTorch does: each entry's bytes begin at a multiple of
 * 64, after a filler in the extra field, and nothing depends on the time. Sizes and places beyond 4
 * GiB are written as zip64 has them (PKWARE's APPNOTE.TXT, 4.3).
 */
final class ZipWriter {
  private static final int ALIGNMENT = 64;
  private static final int FILLER = 'F' | 'B' << 8;
  private static final int UTF_8 = 1 << 11;
  private static final int VERSION = 45;
  private static final int LOCAL_BYTES = 30;
  private static final int CRC_AT = 14;
  private static final int EXTRA_HEADER_BYTES = 4;
  private static final int MAX_SHORT = 0xffff;

  /** From this size or place on, zip's own fields are too small. */
  static final long TOO_LARGE = 0xffff_ffffL;

  private final FileChannel channel;
  private final long tooLarge;
  private final List<Written> entries = new ArrayList<>();
  private long position;

  private record Written(String name, long header, long bytes, long crc32) {}

  /** Takes an entry's bytes. */
  interface Output {
    /** Takes some; they may be overwritten after the call. */
    void write(ByteBuffer bytes) throws IOException;
  }

  /** Writes an entry's bytes. */
  interface Content {
    /** Writes all of them. */
    void writeTo(Output output) throws IOException;
  }

  /**
   * Prepares to write from a file's beginning.
   *
   * @param tooLarge {@link #TOO_LARGE}, but in tests
   */
  ZipWriter(FileChannel channel, long tooLarge) {
    this.channel = channel;
    this.tooLarge = tooLarge;
  }

  /** Adds an entry. */
  void add(String name, byte[] bytes) throws IOException {
    add(name, bytes.length, output -> output.write(ByteBuffer.wrap(bytes)));
  }

  /**
   * Adds an entry.
   *
   * @param bytes how many the content has
   */
  void add(String name, long bytes, Content content) throws IOException {
    long header = position;
    append(localHeader(name, bytes));
    long begin = position;
    CRC32 crc = new CRC32();
    content.writeTo(
        piece -> {
          crc.update(piece.duplicate());
          append(piece);
        });
    if (position != begin + bytes) {
      throw new IllegalStateException(
          String.format("'%s' has %s bytes instead of %s", name, position - begin, bytes));
    }
    ByteBuffer checksum = fields(Integer.BYTES).putInt((int) crc.getValue()).flip();
    while (checksum.hasRemaining()) {
      channel.write(checksum, header + CRC_AT + checksum.position());
    }
    entries.add(new Written(name, header, bytes, crc.getValue()));
  }

  /** Ends the file with its directory. */
  void finish() throws IOException {
    long directory = position;
    for (Written entry : entries) {
      append(central(entry));
    }
    long end = position;
    ByteBuffer records = fields(56 + 20 + 22);
    records.putInt(0x06064b50).putLong(44).putShort((short) VERSION).putShort((short) VERSION);
    records.putLong(0).putLong(entries.size()).putLong(entries.size());
    records.putLong(end - directory).putLong(directory);
    records.putInt(0x07064b50).putInt(0).putLong(end).putInt(1);
    short count = (short) Math.min(entries.size(), MAX_SHORT);
    records.putInt(0x06054b50).putInt(0).putShort(count).putShort(count);
    records.putInt(small(end - directory)).putInt(small(directory)).putShort((short) 0);
    append(records.flip());
  }

  private ByteBuffer localHeader(String entryName, long bytes) {
    byte[] name = entryName.getBytes(StandardCharsets.UTF_8);
    ByteBuffer large = bytes < tooLarge ? fields(0) : zip64(bytes, bytes);
    long unpadded = position + LOCAL_BYTES + name.length + large.remaining() + EXTRA_HEADER_BYTES;
    int padding = (int) (-unpadded & (ALIGNMENT - 1));
    int extra = large.remaining() + EXTRA_HEADER_BYTES + padding;
    ByteBuffer header = fields(LOCAL_BYTES + name.length + extra);
    header.putInt(0x04034b50).putShort((short) VERSION).putShort((short) UTF_8).putShort((short) 0);
    header.putInt(0).putInt(0).putInt(small(bytes)).putInt(small(bytes));
    header.putShort((short) name.length).putShort((short) extra).put(name).put(large);
    header.putShort((short) FILLER).putShort((short) padding);
    header.put("Z".repeat(padding).getBytes(StandardCharsets.US_ASCII));
    return header.flip();
  }

  private ByteBuffer central(Written entry) {
    byte[] name = entry.name.getBytes(StandardCharsets.UTF_8);
    boolean large = entry.bytes >= tooLarge;
    boolean far = entry.header >= tooLarge;
    ByteBuffer extra =
        large && far
            ? zip64(entry.bytes, entry.bytes, entry.header)
            : large ? zip64(entry.bytes, entry.bytes) : far ? zip64(entry.header) : fields(0);
    ByteBuffer record = fields(46 + name.length + extra.remaining());
    record.putInt(0x02014b50).putShort((short) VERSION).putShort((short) VERSION);
    record.putShort((short) UTF_8).putShort((short) 0).putInt(0).putInt((int) entry.crc32);
    record.putInt(small(entry.bytes)).putInt(small(entry.bytes));
    record.putShort((short) name.length).putShort((short) extra.remaining());
    record.putShort((short) 0).putShort((short) 0).putShort((short) 0).putInt(0);
    record.putInt(small(entry.header)).put(name).put(extra);
    return record.flip();
  }

  private static ByteBuffer zip64(long... values) {
    ByteBuffer extra = fields(EXTRA_HEADER_BYTES + values.length * Long.BYTES);
    extra.putShort((short) 1).putShort((short) (values.length * Long.BYTES));
    for (long value : values) {
      extra.putLong(value);
    }
    return extra.flip();
  }

  private int small(long value) {
    return (int) (value < tooLarge ? value : TOO_LARGE);
  }

  private static ByteBuffer fields(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void append(ByteBuffer bytes) throws IOException {
    position += bytes.remaining();
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
