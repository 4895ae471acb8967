package io.github.ema4j.checkpoint;

import com.google.common.base.Splitter;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the directory of a zip file (PKWARE's APPNOTE.TXT, 4.3; large files by its "zip64"
 * records).
 *
 * <p>Stricter than the format: the directory ends the file, entries lie before it and do not
 * overlap, nothing is encrypted, names are unique and lead nowhere else. So what is read here is
 * what any other program reads. Nothing is ever decompressed.
 */
final class ZipDirectory {
  private static final int END_SIGNATURE = 0x06054b50;
  private static final int END_BYTES = 22;
  private static final int ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
  private static final int ZIP64_LOCATOR_BYTES = 20;
  private static final int ZIP64_END_SIGNATURE = 0x06064b50;
  private static final int ZIP64_END_BYTES = 56;
  private static final int CENTRAL_SIGNATURE = 0x02014b50;
  private static final int CENTRAL_BYTES = 46;
  private static final int LOCAL_SIGNATURE = 0x04034b50;
  private static final int LOCAL_BYTES = 30;

  private static final int ZIP64_EXTRA = 1;
  private static final long IN_ZIP64 = 0xffff_ffffL;

  /** Sizes follow the data; names are UTF-8. */
  private static final int HARMLESS_FLAGS = 1 << 3 | 1 << 11;

  /** What the end record says of the directory. */
  private record Place(long entries, long offset, long bytes) {}

  private final FileBytes file;
  private final Map<String, ZipEntry> entries = new HashMap<>();

  /** Where each entry's header begins. */
  private final Map<String, Long> headers = new HashMap<>();

  private ZipDirectory(FileBytes file) {
    this.file = file;
  }

  /**
   * Returns a file's entries by name, in the order in which they lie.
   *
   * @throws CheckpointException if the file is not a sound zip file
   */
  static ImmutableMap<String, ZipEntry> read(FileBytes file) {
    return new ZipDirectory(file).read();
  }

  private ImmutableMap<String, ZipEntry> read() {
    Place place = place();
    ByteBuffer central = slice(place.offset, place.bytes, "the zip directory");
    for (long i = 0; i < place.entries; i++) {
      readEntry(central);
    }
    if (central.hasRemaining()) {
      throw bad("the zip directory has more than its " + place.entries + " entries");
    }
    return inOrder(place.offset);
  }

  private Place place() {
    long endOffset = file.size() - END_BYTES;
    if (endOffset < 0 || uint(endOffset) != END_SIGNATURE) {
      throw bad("no zip directory is at its end: it was cut off, or something was appended");
    }
    ByteBuffer end = file.slice(endOffset, END_BYTES);
    Place small = new Place(end.getChar(10), end.getInt(16) & IN_ZIP64, end.getInt(12) & IN_ZIP64);
    long locatorOffset = endOffset - ZIP64_LOCATOR_BYTES;
    boolean zip64 = locatorOffset >= 0 && uint(locatorOffset) == ZIP64_LOCATOR_SIGNATURE;
    Place place = zip64 ? zip64Place(locatorOffset, small) : small;
    long directoryEnd = zip64 ? locatorOffset - ZIP64_END_BYTES : endOffset;
    boolean oneDisk = end.getInt(4) == 0 && end.getChar(8) == end.getChar(10);
    if (!oneDisk || end.getChar(20) != 0) {
      throw bad("it is one of several parts of a zip file, or has a comment");
    }
    // Compared this way round, no sum can overflow.
    if (place.bytes < 0
        || place.bytes > directoryEnd
        || place.offset != directoryEnd - place.bytes) {
      throw bad(
          String.format(
              "the zip directory is said to be %s bytes from %s on, but ends at %s",
              place.bytes, place.offset, directoryEnd));
    }
    return place;
  }

  private Place zip64Place(long locatorOffset, Place small) {
    long offset = file.slice(locatorOffset, ZIP64_LOCATOR_BYTES).getLong(8);
    if (offset < 0
        || offset != locatorOffset - ZIP64_END_BYTES
        || uint(offset) != ZIP64_END_SIGNATURE) {
      throw bad("the zip64 end record is not where it is said to be, at " + offset);
    }
    ByteBuffer end = file.slice(offset, ZIP64_END_BYTES);
    Place large = new Place(end.getLong(32), end.getLong(48), end.getLong(40));
    boolean agree =
        agree(small.entries, 0xffff, large.entries)
            && agree(small.offset, IN_ZIP64, large.offset)
            && agree(small.bytes, IN_ZIP64, large.bytes);
    if (!agree || end.getLong(24) != large.entries) {
      throw bad("its two zip end records differ");
    }
    return large;
  }

  private static boolean agree(long small, long saturated, long large) {
    return small == large || small == saturated;
  }

  private void readEntry(ByteBuffer central) {
    int at = central.position();
    if (central.remaining() < CENTRAL_BYTES || central.getInt(at) != CENTRAL_SIGNATURE) {
      throw bad("the zip directory is damaged at its byte " + at);
    }
    ByteBuffer record = central.slice(at, CENTRAL_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    int nameBytes = record.getChar(28);
    int extraBytes = record.getChar(30);
    int commentBytes = record.getChar(32);
    if (central.remaining() - CENTRAL_BYTES < nameBytes + extraBytes + commentBytes) {
      throw bad("the zip directory is damaged at its byte " + at);
    }
    String name = name(central.slice(at + CENTRAL_BYTES, nameBytes));
    ByteBuffer extra = central.slice(at + CENTRAL_BYTES + nameBytes, extraBytes);
    Sizes sizes = sizes(name, record, extra.order(ByteOrder.LITTLE_ENDIAN));
    ZipEntry entry =
        new ZipEntry(
            name,
            dataOffset(name, record, sizes.header),
            sizes.stored,
            record.getInt(16) & IN_ZIP64,
            record.getChar(10) != 0 || sizes.stored != sizes.original);
    if (entries.put(name, entry) != null) {
      throw bad(name, "the zip file has two entries of this name");
    }
    headers.put(name, sizes.header);
    central.position(at + CENTRAL_BYTES + nameBytes + extraBytes + commentBytes);
  }

  /** How large an entry is, before compression and after, and where its header begins. */
  private record Sizes(long original, long stored, long header) {}

  private Sizes sizes(String name, ByteBuffer record, ByteBuffer extra) {
    long stored = record.getInt(20) & IN_ZIP64;
    long original = record.getInt(24) & IN_ZIP64;
    long header = record.getInt(42) & IN_ZIP64;
    // The extra field has those of the three, in this order, that do not fit.
    ByteBuffer large = zip64Extra(name, extra);
    try {
      original = original == IN_ZIP64 ? large.getLong() : original;
      stored = stored == IN_ZIP64 ? large.getLong() : stored;
      header = header == IN_ZIP64 ? large.getLong() : header;
    } catch (BufferUnderflowException e) {
      throw bad(name, "its zip64 sizes are missing");
    }
    return new Sizes(original, stored, header);
  }

  /** Returns the content of the extra field that has large sizes; nothing if there is none. */
  private ByteBuffer zip64Extra(String name, ByteBuffer extra) {
    while (extra.remaining() >= 2 * Character.BYTES) {
      int id = extra.getChar();
      int bytes = extra.getChar();
      if (bytes > extra.remaining()) {
        throw bad(name, "its extra fields are damaged");
      }
      if (id == ZIP64_EXTRA) {
        return extra.slice(extra.position(), bytes).order(ByteOrder.LITTLE_ENDIAN);
      }
      extra.position(extra.position() + bytes);
    }
    return ByteBuffer.allocate(0);
  }

  /** Follows an entry to its own header and returns where its bytes begin. */
  private long dataOffset(String name, ByteBuffer record, long header) {
    if (header < 0 || header > file.size() - LOCAL_BYTES) {
      throw bad(name, "its header is said to be at byte " + header + " of the file");
    }
    ByteBuffer local = file.slice(header, LOCAL_BYTES);
    if (local.getInt(0) != LOCAL_SIGNATURE) {
      throw bad(name, "it has no header at byte " + header + " of the file");
    }
    int flags = record.getChar(8);
    int nameBytes = record.getChar(28);
    boolean same =
        local.getChar(6) == flags
            && local.getChar(8) == record.getChar(10)
            && local.getChar(26) == nameBytes
            && name.equals(name(slice(header + LOCAL_BYTES, nameBytes, "a name")));
    if (!same) {
      throw bad(name, "its own header and the directory differ");
    }
    if ((flags & ~HARMLESS_FLAGS) != 0) {
      throw bad(name, String.format("it is encrypted or patched: flags 0x%04x", flags));
    }
    return header + LOCAL_BYTES + nameBytes + local.getChar(28);
  }

  private ImmutableMap<String, ZipEntry> inOrder(long directoryOffset) {
    List<ZipEntry> sorted =
        ImmutableList.sortedCopyOf(Comparator.comparingLong(ZipEntry::offset), entries.values());
    ImmutableMap.Builder<String, ZipEntry> result = ImmutableMap.builder();
    for (int i = 0; i < sorted.size(); i++) {
      ZipEntry entry = sorted.get(i);
      long room = i + 1 < sorted.size() ? headers.get(sorted.get(i + 1).name()) : directoryOffset;
      if (entry.bytes() < 0 || entry.offset() > room || entry.bytes() > room - entry.offset()) {
        throw bad(
            entry.name(),
            String.format(
                "it is said to have %s bytes from %s on, but what follows it begins at %s",
                entry.bytes(), entry.offset(), room));
      }
      result.put(entry.name(), entry);
    }
    return result.buildOrThrow();
  }

  /** Reads a name; no path that leads out of the file's own folder is one. */
  private String name(ByteBuffer utf8) {
    String name;
    try {
      name = StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
    } catch (CharacterCodingException e) {
      throw bad("a name in the zip directory is not UTF-8");
    }
    boolean plain = name.chars().noneMatch(c -> c < ' ' || c == '\\' || c == ':');
    if (!plain
        || Splitter.on('/').splitToStream(name).anyMatch(part -> part.matches("|\\.|\\.\\."))) {
      throw bad(name, "the zip file has an entry with a name that is no plain path");
    }
    return name;
  }

  private long uint(long offset) {
    return file.slice(offset, Integer.BYTES).getInt(0);
  }

  private ByteBuffer slice(long offset, long bytes, String what) {
    if (offset < 0 || bytes > FileBytes.MAX_SLICE || offset > file.size() - bytes) {
      throw bad(what + " is said to be " + bytes + " bytes from " + offset + " on");
    }
    return file.slice(offset, bytes);
  }

  private CheckpointException bad(String reason) {
    return new CheckpointException(file.path(), reason);
  }

  private CheckpointException bad(String name, String reason) {
    return new CheckpointException(file.path(), Unpickler.abbreviate(name), reason, null);
  }
}
