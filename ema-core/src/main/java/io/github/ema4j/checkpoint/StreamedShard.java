package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.collect.ImmutableList.toImmutableList;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSet;
import io.github.ema4j.TensorSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One of the safetensors files that a model is split into, for writing to where bytes can only be
 * appended, such as a distributed file system: each file by whatever process, the {@linkplain
 * #index index} last.
 *
 * <p>Its digest is known when the file is complete, so the index has it. Immutable.
 */
public final class StreamedShard {
  private final ImmutableList<Item> items;
  private final byte[] header;

  /** A tensor of a file: its name and what it looks like, row-major. */
  public record Item(String name, TensorSpec spec) implements SafetensorsLayout.Item {}

  /** Has the bytes of tensors. */
  public interface Content {
    /** Writes the bytes of a tensor, row-major and little-endian, all of them. */
    void write(Item item, WritableByteChannel out) throws IOException;
  }

  /**
   * A file that was written.
   *
   * @param file its name, without a folder
   * @param digest as {@link #write} returned it
   */
  public record Written(StreamedShard shard, String file, String digest) {}

  /**
   * Lays a file out.
   *
   * @param items its tensors
   * @param notes what it says beside them
   * @throws IllegalArgumentException if names and notes do not fit a header, or a note is the
   *     checksum's
   * @throws CheckpointException if names are not unique
   */
  public StreamedShard(List<Item> items, Map<String, String> notes) {
    checkArgument(!notes.containsKey(Sha256Field.KEY), "'%s' is computed", Sha256Field.KEY);
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", "pt"); // what Python's transformers wants to see
    metadata.putAll(notes);
    this.items = ImmutableList.copyOf(items);
    header = SafetensorsLayout.header(Path.of("shard"), metadata, this.items);
  }

  /**
   * Lays out the files of a model.
   *
   * @param items all of its tensors
   * @param notes what each file says beside its tensors
   * @param maxShardBytes how many bytes of tensors a file has at most, unless it has one tensor
   * @throws IllegalArgumentException if the limit is not positive, or as the constructor
   * @throws CheckpointException as the constructor
   */
  public static List<StreamedShard> split(
      List<Item> items, Map<String, String> notes, long maxShardBytes) {
    return SafetensorsLayout.shards(items, maxShardBytes).stream()
        .map(each -> new StreamedShard(each, notes))
        .collect(toImmutableList());
  }

  /** Returns the tensors, in the header's order. */
  public ImmutableList<Item> items() {
    return items;
  }

  /** Returns how many bytes the file has. */
  public long bytes() {
    return Long.BYTES + header.length + tensorBytes();
  }

  private long tensorBytes() {
    return items.stream().mapToLong(Item::bytes).sum();
  }

  /**
   * Writes the file, from its first byte to its last. The channel is left open.
   *
   * @return the file's digest: the SHA-256 of the SHA-256s of its pieces of 16 MiB, in hexadecimal
   *     digits
   * @throws IllegalStateException if the content writes more or fewer bytes than a tensor has
   */
  public String write(WritableByteChannel out, Content content) throws IOException {
    Output output = new Output(out);
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    output.write(length.putLong(header.length).flip());
    output.write(ByteBuffer.wrap(header));
    for (Item item : SafetensorsLayout.inDataOrder(items)) {
      output.count = 0;
      content.write(item, output);
      checkState(
          output.count == item.bytes(),
          "'%s' has %s bytes, but %s were written",
          item.name(),
          item.bytes(),
          output.count);
    }
    return output.digest.value();
  }

  /**
   * Returns the content of the index that makes files one model. It is to be written when they are
   * complete, beside them, under a name that ends in {@code .safetensors.index.json}.
   *
   * @throws CheckpointException if a file's name is not plain, or there are no tensors
   * @throws IllegalArgumentException if two files have one tensor
   */
  public static byte[] index(List<Written> files) throws IOException {
    ImmutableMap.Builder<String, String> places = ImmutableMap.builder();
    ImmutableMap.Builder<String, String> digests = ImmutableMap.builder();
    for (Written written : files) {
      written.shard.items.forEach(item -> places.put(item.name(), written.file));
      digests.put(written.file, written.digest);
    }
    long bytes = files.stream().mapToLong(written -> written.shard.tensorBytes()).sum();
    byte[] json = ShardIndex.json(bytes, places.buildOrThrow(), digests.buildOrThrow());
    ShardIndex.parse(Path.of("index"), json); // what could not be read is not written
    return json;
  }

  /**
   * Returns the names of the files that an index names. The source is left open.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException if it is malformed
   */
  public static ImmutableSet<String> named(FileSource index) throws IOException {
    return ImmutableSet.copyOf(ShardIndex.read(index).places().values());
  }

  /** Passes bytes on, counts them and takes their digest. */
  private static final class Output implements WritableByteChannel {
    private final WritableByteChannel out;
    private final FileDigest digest = new FileDigest();
    private long count;

    Output(WritableByteChannel out) {
      this.out = out;
    }

    @Override
    public int write(ByteBuffer bytes) throws IOException {
      int all = bytes.remaining();
      digest.update(bytes.duplicate());
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      count += all;
      return all;
    }

    @Override
    public boolean isOpen() {
      return out.isOpen();
    }

    @Override
    public void close() {
      // It is the caller's.
    }
  }
}
