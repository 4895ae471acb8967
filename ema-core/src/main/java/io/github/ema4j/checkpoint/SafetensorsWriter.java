package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.internal.RowMajorReader;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes safetensors files: tensor by tensor, with no more memory than a piece of one takes, in
 * row-major order whatever the layout. The metadata ends up with the file's digest.
 */
final class SafetensorsWriter {
  private static final int PIECE_BYTES = 1 << 20;
  private static final String EXTENSION = ".safetensors";

  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final List<Source<?>> sources = new ArrayList<>();
  private final Set<String> names = new HashSet<>();

  /** A tensor and the name that it gets. */
  private record Source<T>(String name, Tensors<T> owner, Entry<T> entry)
      implements SafetensorsLayout.Item {

    @Override
    public TensorSpec spec() {
      return entry.spec();
    }

    void read(RowMajorReader reader, RowMajorReader.Sink sink) throws IOException {
      reader.read(owner, entry, sink);
    }
  }

  SafetensorsWriter() {
    metadata.put(Sha256Field.KEY, Sha256Field.EMPTY);
    metadata.put("format", "pt"); // what Python's transformers wants to see
  }

  /** Says something beside the tensors. */
  void note(String key, String value) {
    metadata.put(key, value);
  }

  /**
   * Adds the tensors of a state dict, which must live until they are written.
   *
   * @param owner what they belong to, for messages
   * @throws IllegalArgumentException if a name is taken
   */
  <T> void add(String prefix, StateDict<T> state, String owner) {
    Tensors<T> tensors = new Tensors<>(owner, state.backend(), state.entries());
    for (Entry<T> entry : state.entries()) {
      String name = prefix + entry.name();
      checkArgument(
          names.add(name) && !name.equals(SafetensorsHeader.METADATA),
          "the name '%s' is taken; a file has each name once",
          name);
      sources.add(new Source<>(name, tensors, entry));
    }
  }

  /**
   * Writes one file, durably.
   *
   * @throws IOException if that fails; a file that was there before is as it was
   */
  void write(Path target) throws IOException {
    write(target, sources);
  }

  /**
   * Writes several files and, last, the index that makes them one; durably. Files of an earlier
   * index under the same name are not touched until the new one is in place, and deleted then.
   *
   * @param target the name of the single file that it would be
   * @param maxShardBytes how many bytes of tensors a file has at most, unless it has one tensor
   * @return the index
   * @throws IllegalArgumentException if the limit is not positive
   * @throws IOException if that fails; the files that were there before are as they were
   */
  Path writeShards(Path target, long maxShardBytes) throws IOException {
    List<List<Source<?>>> shards = SafetensorsLayout.shards(sources, maxShardBytes);
    String file = target.getFileName().toString();
    String stem =
        file.endsWith(EXTENSION) ? file.substring(0, file.length() - EXTENSION.length()) : file;
    Path index = target.resolveSibling(stem + ShardIndex.SUFFIX);
    Set<Path> before = Files.exists(index) ? ShardIndex.shards(index) : Set.of();
    Map<String, String> places = new LinkedHashMap<>();
    String tag = freeTag(target, stem, shards.size());
    for (int i = 0; i < shards.size(); i++) {
      String shard = shardName(stem + tag, i, shards.size());
      write(target.resolveSibling(shard), shards.get(i));
      shards.get(i).forEach(source -> places.put(source.name(), shard));
    }
    long bytes = sources.stream().mapToLong(Source::bytes).sum();
    ShardIndex.write(index, bytes, places);
    for (Path old : before) {
      Files.deleteIfExists(old);
    }
    return index;
  }

  static String shardName(String stem, int index, int count) {
    return String.format("%s-%05d-of-%05d%s", stem, index + 1, count, EXTENSION);
  }

  /** Returns what makes the names of shards differ from those of all files that there are. */
  private static String freeTag(Path target, String stem, int count) {
    for (int attempt = 0; ; attempt++) {
      String tag = attempt == 0 ? "" : "." + attempt;
      boolean free = true;
      for (int i = 0; i < count; i++) {
        free &= Files.notExists(target.resolveSibling(shardName(stem + tag, i, count)));
      }
      if (free) {
        return tag;
      }
    }
  }

  private void write(Path target, List<Source<?>> contents) throws IOException {
    byte[] header = SafetensorsLayout.header(target, metadata, contents);
    List<Source<?>> inDataOrder = SafetensorsLayout.inDataOrder(contents);
    DurableFiles.write(target, channel -> write(channel, header, inDataOrder));
  }

  private static void write(FileChannel channel, byte[] header, List<Source<?>> inDataOrder)
      throws IOException {
    ByteBuffer value;
    try (Output output = new Output(channel)) {
      ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      output.accept(length.putLong(header.length).flip());
      output.accept(ByteBuffer.wrap(header));
      RowMajorReader reader = new RowMajorReader(PIECE_BYTES);
      for (Source<?> source : inDataOrder) {
        source.read(reader, output);
      }
      value = StandardCharsets.US_ASCII.encode(output.digest.value());
    }
    int field = Sha256Field.indexIn(header).orElseThrow();
    while (value.hasRemaining()) {
      channel.write(value, Long.BYTES + field + (long) value.position());
    }
  }

  /** Writes to a file and takes the digest of what is written. */
  private static final class Output implements RowMajorReader.Sink, AutoCloseable {
    /** What takes less time than waking a thread. */
    private static final int SMALL_BYTES = 64 << 10;

    private final FileChannel channel;
    private final FileDigest digest = new FileDigest();
    private final SecondThread digesting = new SecondThread();

    Output(FileChannel channel) {
      this.channel = channel;
    }

    @Override
    public void accept(ByteBuffer bytes) throws IOException {
      ByteBuffer digested = bytes.duplicate();
      if (bytes.remaining() < SMALL_BYTES) {
        digest.update(digested);
        write(bytes);
      } else {
        digesting.both(() -> digest.update(digested), () -> write(bytes));
      }
    }

    private void write(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    }

    @Override
    public void close() {
      digesting.close();
    }
  }
}
