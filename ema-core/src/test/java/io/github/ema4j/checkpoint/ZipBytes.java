package io.github.ema4j.checkpoint;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;

/** Writes zip files of which any field can be wrong. */
final class ZipBytes {
  private static final int SATURATED = -1;

  private final List<Entry> entries = new ArrayList<>();
  private boolean zip64;
  private int comment;
  private int countOff;
  private int offsetOff;
  private int disk;
  private int zip64Off;

  /** One entry; what a test changes of it differs from what it should be. */
  static final class Entry {
    private final String name;
    private final byte[] data;
    String localName;
    int flags;
    int localFlags;
    int method;
    long crc;
    long size;
    long original;
    long header = Long.MIN_VALUE;
    boolean zip64;
    int zip64Bytes = 3 * Long.BYTES;

    private Entry(String name, byte[] data) {
      this.name = name;
      this.data = data;
      localName = name;
      size = data.length;
      original = data.length;
      CRC32 crc32 = new CRC32();
      crc32.update(data);
      crc = crc32.getValue();
    }
  }

  Entry add(String name, byte[] data) {
    Entry entry = new Entry(name, data);
    entries.add(entry);
    return entry;
  }

  Entry add(String name, String data) {
    return add(name, data.getBytes(StandardCharsets.ISO_8859_1));
  }

  ZipBytes withZip64End(int off) {
    zip64 = true;
    zip64Off = off;
    return this;
  }

  ZipBytes withComment() {
    comment = 1;
    return this;
  }

  ZipBytes withCountOff(int by) {
    countOff = by;
    return this;
  }

  ZipBytes withOffsetOff(int by) {
    offsetOff = by;
    return this;
  }

  ZipBytes onDisk(int number) {
    disk = number;
    return this;
  }

  byte[] build() {
    Fields file = new Fields();
    for (Entry entry : entries) {
      if (entry.header == Long.MIN_VALUE) {
        entry.header = file.size();
      }
      byte[] name = entry.localName.getBytes(StandardCharsets.UTF_8);
      file.u4(0x04034b50).u2(20).u2(entry.flags ^ entry.localFlags).u2(entry.method).u4(0);
      file.u4(entry.crc).u4(entry.size).u4(entry.original).u2(name.length).u2(0);
      file.writeBytes(name);
      file.writeBytes(entry.data);
    }
    int directory = file.size();
    entries.forEach(entry -> addCentral(file, entry));
    int bytes = file.size() - directory;
    int count = entries.size() + countOff;
    if (zip64) {
      int at = file.size() + zip64Off;
      file.u4(0x06064b50).u8(44).u2(45).u2(45).u8(0).u8(count).u8(count);
      file.u8(bytes).u8(directory + offsetOff);
      file.u4(0x07064b50).u4(0).u8(at).u4(1);
    }
    int shortCount = zip64 ? SATURATED : count;
    file.u4(0x06054b50).u2(disk).u2(0).u2(shortCount).u2(shortCount);
    file.u4(zip64 ? SATURATED : bytes).u4(zip64 ? SATURATED : directory + offsetOff).u2(comment);
    file.writeBytes(new byte[comment]);
    return file.toByteArray();
  }

  private static void addCentral(Fields file, Entry entry) {
    byte[] name = entry.name.getBytes(StandardCharsets.UTF_8);
    file.u4(0x02014b50).u2(20).u2(20).u2(entry.flags).u2(entry.method).u4(0).u4(entry.crc);
    file.u4(entry.zip64 ? SATURATED : entry.size).u4(entry.zip64 ? SATURATED : entry.original);
    file.u2(name.length).u2(entry.zip64 ? 4 + entry.zip64Bytes : 0);
    file.u2(0).u2(0).u2(0).u4(0).u4(entry.zip64 ? SATURATED : entry.header);
    file.writeBytes(name);
    if (entry.zip64) {
      Fields sizes = new Fields().u8(entry.original).u8(entry.size).u8(entry.header);
      file.u2(1).u2(entry.zip64Bytes).write(sizes.toByteArray(), 0, entry.zip64Bytes);
    }
  }

  /** Bytes to which little-endian numbers are appended. */
  private static final class Fields extends ByteArrayOutputStream {
    Fields u2(int value) {
      return number(value, 2);
    }

    Fields u4(long value) {
      return number(value, 4);
    }

    Fields u8(long value) {
      return number(value, 8);
    }

    private Fields number(long value, int bytes) {
      for (int i = 0; i < bytes; i++) {
        write((int) (value >> (8 * i)));
      }
      return this;
    }
  }
}
