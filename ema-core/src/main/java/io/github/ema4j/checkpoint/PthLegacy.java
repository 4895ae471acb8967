package io.github.ema4j.checkpoint;

import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableMap;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * A file as PyTorch wrote it before 1.6: five pickles (a magic number, a version, what the machine
 * was like, the value, the storages' keys), then each storage: its size in elements, and its bytes.
 * Little-endian on every machine.
 */
final class PthLegacy implements PthContent {
  private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
  private static final long VERSION = 1001;

  private final FileBytes file;
  private final PthPickle pickle;
  private final ImmutableMap<String, Long> offsets;

  private PthLegacy(FileBytes file, Set<String> ignored) {
    this.file = file;
    ByteBuffer in = file.slice(0, Math.min(file.size(), PthPickle.MAX_BYTES));
    require(MAGIC, in, "magic number");
    require(VERSION, in, "version");
    PthPickle.read(file, "machine", in, ignored);
    pickle = PthPickle.read(file, "value", in, ignored);
    Object keys = PthPickle.read(file, "keys", in, ignored).root();
    offsets = offsets(keys, in.position());
  }

  static PthLegacy read(FileBytes file, Set<String> ignored) {
    return new PthLegacy(file, ignored);
  }

  @Override
  public Object root() {
    return pickle.root();
  }

  @Override
  public ByteOrder order() {
    return ByteOrder.LITTLE_ENDIAN;
  }

  @Override
  public long offset(PthStorage storage) {
    return requireNonNull(offsets.get(storage.key()));
  }

  @Override
  public boolean hasChecksums() {
    return false;
  }

  @Override
  public void verify(PthStorage storage) {
    // There is nothing to compare.
  }

  @Override
  public void verify() {
    file.requireOpen();
  }

  private void require(Object expected, ByteBuffer in, String what) {
    Object found = PthPickle.read(file, what, in, Set.of()).root();
    if (!expected.equals(found)) {
      throw bad(what, "it must be " + expected + ", but is " + Unpickler.describe(found));
    }
  }

  private ImmutableMap<String, Long> offsets(Object keys, long begin) {
    if (!(keys instanceof PyList list)) {
      throw bad("keys", "they must be a list, but are a " + Unpickler.typeName(keys));
    }
    Map<String, Long> found = new HashMap<>();
    long at = begin;
    for (Object key : list.items()) {
      PthStorage storage = key instanceof String name ? pickle.storages().get(name) : null;
      if (storage == null) {
        throw bad("keys", "no tensor is in the storage " + Unpickler.describe(key));
      }
      requireWhole(storage, at);
      at += Long.BYTES;
      if (found.put(storage.key(), at) != null) {
        throw bad(storage.key(), "the storage is there twice");
      }
      at += storage.bytes();
    }
    for (String key : pickle.storages().keySet()) {
      if (!found.containsKey(key)) {
        throw bad(key, "the storage is missing");
      }
    }
    if (at != file.size()) {
      throw new CheckpointException(
          file.path(), (file.size() - at) + " bytes follow the last storage; nothing may");
    }
    return ImmutableMap.copyOf(found);
  }

  private void requireWhole(PthStorage storage, long at) {
    if (Long.BYTES > file.size() - at || storage.bytes() > file.size() - at - Long.BYTES) {
      throw bad(storage.key(), "the storage is not all there: the file was cut off");
    }
    long elements = file.slice(at, Long.BYTES).getLong(0);
    if (elements != storage.elements()) {
      throw bad(
          storage.key(),
          String.format(
              "the storage has %s elements, but its tensors need %s",
              elements, storage.elements()));
    }
  }

  private CheckpointException bad(String entry, String reason) {
    return new CheckpointException(file.path(), Unpickler.abbreviate(entry), reason, null);
  }
}
