package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableMap;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;
import java.util.zip.CRC32;

/**
 * A file as PyTorch has written it since 1.6: a zip file with {@code data.pkl}, {@code data/<key>}
 * for each storage, {@code version} and, newer ones, {@code byteorder}.
 */
final class PthZip implements PthContent {
  private static final int NEWEST_VERSION = 10;
  private static final int MAX_TEXT = 16;
  private static final int PIECE_BYTES = 16 << 20;

  private final FileBytes file;
  private final ImmutableMap<String, ZipEntry> entries;
  private final String folder;
  private final boolean hasChecksums;
  private final ByteOrder order;
  private final PthPickle pickle;

  private PthZip(FileBytes file, Set<String> ignored) {
    this.file = file;
    entries = ZipDirectory.read(file);
    folder = folder();
    // PyTorch can be told to leave the checksums out, and writes zeros then.
    hasChecksums = entries.values().stream().anyMatch(entry -> entry.crc32() != 0);
    requireKnownVersion();
    order = readOrder();
    pickle = readPickle(ignored);
    pickle.storages().values().forEach(this::requireSize);
  }

  static PthZip read(FileBytes file, Set<String> ignored) {
    return new PthZip(file, ignored);
  }

  @Override
  public Object root() {
    return pickle.root();
  }

  @Override
  public ByteOrder order() {
    return order;
  }

  @Override
  public long offset(PthStorage storage) {
    return entry("data/" + storage.key()).offset();
  }

  @Override
  public void verify(PthStorage storage) {
    verify(entry("data/" + storage.key()));
  }

  @Override
  public void verify() {
    file.requireOpen();
    entries.keySet().forEach(name -> verify(entry(name.substring(folder.length()))));
  }

  /** Finds the folder that all entries are in: it is named after the file as first saved. */
  private String folder() {
    String first = entries.keySet().stream().findFirst().orElse("");
    String common = first.substring(0, first.indexOf('/') + 1);
    for (String name : entries.keySet()) {
      if (!name.startsWith(common) || common.isEmpty()) {
        throw new CheckpointException(
            file.path(), name, "it is not in one folder with the other entries", null);
      }
    }
    return common;
  }

  private void requireKnownVersion() {
    if (entries.containsKey(folder + "constants.pkl")) {
      throw new CheckpointException(
          file.path(),
          "it is a TorchScript program, not a file of tensors; load it with the framework");
    }
    String version = text("version").orElse("none");
    if (!version.matches("[1-9][0-9]?\n") || Integer.parseInt(version.strip()) > NEWEST_VERSION) {
      throw new CheckpointException(
          file.path(),
          "version",
          String.format("versions 1 to %s are read, but this is %s", NEWEST_VERSION, version),
          null);
    }
  }

  private ByteOrder readOrder() {
    String name = text("byteorder").orElse("little");
    return switch (name) {
      case "little" -> ByteOrder.LITTLE_ENDIAN;
      case "big" -> ByteOrder.BIG_ENDIAN;
      default ->
          throw new CheckpointException(
              file.path(), "byteorder", "it must be little or big, but is " + name, null);
    };
  }

  private Optional<String> text(String name) {
    if (!entries.containsKey(folder + name)) {
      return Optional.empty();
    }
    ZipEntry entry = entry(name);
    byte[] bytes = new byte[(int) Math.min(entry.bytes(), MAX_TEXT)];
    file.slice(entry.offset(), bytes.length).get(bytes);
    return Optional.of(new String(bytes, StandardCharsets.ISO_8859_1));
  }

  private PthPickle readPickle(Set<String> ignored) {
    ZipEntry entry = entry("data.pkl");
    if (entry.bytes() > PthPickle.MAX_BYTES) {
      throw new CheckpointException(
          file.path(),
          entry.name(),
          String.format(
              "a pickle may have %s bytes, but this has %s; it holds more than tensors",
              PthPickle.MAX_BYTES, entry.bytes()),
          null);
    }
    verify(entry);
    ByteBuffer in = file.slice(entry.offset(), entry.bytes());
    PthPickle read = PthPickle.read(file, entry.name(), in, ignored);
    if (in.hasRemaining()) {
      throw new CheckpointException(
          file.path(), entry.name(), in.remaining() + " bytes follow the pickle", null);
    }
    return read;
  }

  private void requireSize(PthStorage storage) {
    ZipEntry entry = entry("data/" + storage.key());
    if (entry.bytes() != storage.bytes()) {
      throw new CheckpointException(
          file.path(),
          entry.name(),
          String.format(
              "its %s elements of type %s take %s bytes, but it has %s",
              storage.elements(), storage.type(), storage.bytes(), entry.bytes()),
          null);
    }
  }

  private ZipEntry entry(String name) {
    ZipEntry entry = entries.get(folder + name);
    if (entry == null) {
      throw new CheckpointException(file.path(), Unpickler.abbreviate(name), "it is missing", null);
    }
    if (entry.compressed()) {
      throw new CheckpointException(
          file.path(),
          entry.name(),
          "it is compressed, which torch.save never does; store it instead",
          null);
    }
    return entry;
  }

  @Override
  public boolean hasChecksums() {
    return hasChecksums;
  }

  private void verify(ZipEntry entry) {
    if (!hasChecksums) {
      return;
    }
    CRC32 crc = new CRC32();
    for (long done = 0; done < entry.bytes(); done += PIECE_BYTES) {
      long bytes = Math.min(PIECE_BYTES, entry.bytes() - done);
      crc.update(file.slice(entry.offset() + done, bytes));
    }
    if (crc.getValue() != entry.crc32()) {
      throw new CheckpointException(
          file.path(),
          entry.name(),
          String.format(
              "it is damaged: its checksum is %08x, but should be %08x",
              crc.getValue(), entry.crc32()),
          null);
    }
  }
}
