package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a checkpoint is written from: a model's weights, its averages and how far they have come.
 *
 * <p>The state dicts may be live views or copies; they are read when the checkpoint is written, and
 * closed with this. Not thread-safe, but may be written by another thread than it was made by.
 */
public final class CheckpointContent implements AutoCloseable {
  static final String FORMAT = "ema4j.format";
  static final String FORMAT_VERSION = "1";
  static final String LIVE = "ema4j.live";
  static final String LIVE_MODEL = "model";
  static final String MODEL_PREFIX = "model.";
  private static final String AVERAGE_PREFIX = "ema.";

  /** An average to be written. */
  private record Average(AverageMetadata metadata, StateDict<?> weights) {}

  private final @Nullable StateDict<?> model;
  private final ImmutableList<Average> averages;
  private final ImmutableMap<String, String> notes;
  private final long allTensors;

  private CheckpointContent(Builder builder) {
    model = builder.model;
    averages = ImmutableList.copyOf(builder.averages);
    notes = ImmutableMap.copyOf(builder.notes);
    allTensors = builder.allTensors;
  }

  /** Starts with nothing. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Writes a safetensors file, durably: it takes its place when all of it is on the disk.
   *
   * @throws IOException if it cannot be written; a file that was there before is as it was
   * @throws IllegalStateException if a tensor is closed or released
   */
  public void write(Path file) throws IOException {
    writer().write(file);
  }

  /**
   * Writes several safetensors files and their index, as Hugging Face's libraries do, durably: the
   * index, by which they are read, takes its place last.
   *
   * @param file what the single file would be called: {@code a.safetensors} gives {@code
   *     a-00001-of-00002.safetensors} and so on, and {@code a.safetensors.index.json}
   * @param maxShardBytes how many bytes of tensors a file may have, unless one tensor has more
   * @return the index, which is to be opened
   * @throws IllegalArgumentException if the limit is not positive
   * @throws IOException as {@link #write}
   * @throws IllegalStateException as {@link #write}
   */
  public Path writeShards(Path file, long maxShardBytes) throws IOException {
    return writer().writeShards(file, maxShardBytes);
  }

  private SafetensorsWriter writer() {
    SafetensorsWriter writer = new SafetensorsWriter();
    notes.forEach(writer::note);
    writer.note(FORMAT, FORMAT_VERSION);
    writer.note(AverageMetadata.COUNT, String.valueOf(averages.size()));
    if (allTensors > 0) {
      writer.note(ShardIndex.ALL_TENSORS, String.valueOf(allTensors));
    }
    if (model != null) {
      writer.note(LIVE, LIVE_MODEL); // the averaged ones never are: a swap keeps from saving
      writer.add(MODEL_PREFIX, model, "model");
    }
    for (int i = 0; i < averages.size(); i++) {
      AverageMetadata metadata = averages.get(i).metadata;
      metadata.write(i, writer::note);
      writer.add(metadata.prefix(), averages.get(i).weights, "average");
    }
    return writer;
  }

  /** Closes the state dicts, which frees copies. */
  @Override
  public void close() {
    if (model != null) {
      model.close();
    }
    averages.forEach(average -> average.weights.close());
  }

  /** Collects what is to be written. */
  public static final class Builder {
    private @Nullable StateDict<?> model;
    private final List<Average> averages = new ArrayList<>();
    private final Map<String, String> notes = new LinkedHashMap<>();
    private final Set<String> prefixes = new HashSet<>();
    private long allTensors;

    private Builder() {}

    /** Sets the model's own weights; without them, a checkpoint has the averages alone. */
    public Builder model(StateDict<?> weights) {
      model = requireNonNull(weights, "weights");
      return this;
    }

    /**
     * Adds an average.
     *
     * @param name its name; empty if it is alone, and its tensors are then called {@code ema.*},
     *     {@code ema.NAME.*} otherwise, with {@code _} for every dot in the name
     * @param config what it was made with, its own schedule included
     * @param progress how far it has come
     * @throws IllegalArgumentException if there is one of that name, or it is not alone without one
     */
    public Builder average(String name, EmaConfig config, Progress progress, StateDict<?> weights) {
      checkArgument(
          averages.stream().noneMatch(other -> other.metadata.name().equals(name)),
          "there is an average '%s' already",
          name);
      checkArgument(
          averages.isEmpty() || !(name.isEmpty() || averages.get(0).metadata.name().isEmpty()),
          "only an average that is alone may be without a name");
      AverageMetadata metadata =
          new AverageMetadata(name, freePrefix(name), config.toString(), progress);
      averages.add(new Average(metadata, requireNonNull(weights, "weights")));
      return this;
    }

    /**
     * Adds a string that is kept in the file's metadata, such as the number of the epoch.
     *
     * @throws IllegalArgumentException if the key begins with {@code ema4j.} or is {@code format}
     */
    public Builder note(String key, String value) {
      checkArgument(
          !key.startsWith("ema4j.") && !key.equals("format"),
          "the key '%s' has a meaning of its own; take another",
          key);
      notes.put(key, requireNonNull(value, "value"));
      return this;
    }

    /**
     * Says that this is one shard of a checkpoint, as a {@link CheckpointFolder} joins them.
     *
     * @param tensors how many tensors all shards have together, those of model and averages
     * @throws IllegalArgumentException if there is none
     */
    public Builder shardOf(long tensors) {
      checkArgument(tensors >= 1, "a checkpoint has at least 1 tensor, but this has %s", tensors);
      allTensors = tensors;
      return this;
    }

    /** Returns what was collected. */
    public CheckpointContent build() {
      checkState(!averages.isEmpty(), "a checkpoint needs an average");
      return new CheckpointContent(this);
    }

    private String freePrefix(String name) {
      String wanted = AVERAGE_PREFIX + (name.isEmpty() ? "" : name.replace('.', '_'));
      String prefix = wanted;
      for (int i = 2; !prefixes.add(prefix); i++) {
        prefix = wanted + "_" + i;
      }
      return name.isEmpty() ? prefix : prefix + ".";
    }
  }
}
