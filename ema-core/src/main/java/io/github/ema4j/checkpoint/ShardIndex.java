package io.github.ema4j.checkpoint;

import static com.google.common.collect.ImmutableSet.toImmutableSet;
import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The index of a model in several files, as Hugging Face's transformers writes it: {@code
 * {"metadata": {"total_size": 1}, "weight_map": {"name": "file"}}}.
 */
final class ShardIndex {
  static final String SUFFIX = ".safetensors.index.json";
  private static final String WEIGHT_MAP = "weight_map";
  private static final Pattern PLAIN_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]*");

  /** Opens the files that an index names. */
  interface Opener {
    /** Opens the file of a name, which is beside the index. */
    TensorFile open(String name) throws IOException;
  }

  private ShardIndex() {}

  /**
   * Opens an index and all of its files.
   *
   * @throws IOException if one cannot be read
   * @throws CheckpointException if one is not what it should be, or they do not belong together
   */
  static TensorFile open(Path index) throws IOException {
    return open(index, read(index), name -> openShard(index, name));
  }

  /**
   * Opens the files of an index that was parsed, by other means.
   *
   * @throws IOException if one cannot be read
   * @throws CheckpointException if they do not belong together
   */
  static TensorFile open(Path index, ImmutableMap<String, String> places, Opener opener)
      throws IOException {
    Map<String, TensorFile> shards = new LinkedHashMap<>();
    try {
      for (String name : places.values()) {
        if (!shards.containsKey(name)) {
          shards.put(name, opener.open(name));
        }
      }
      return joined(index, places, shards);
    } catch (IOException | RuntimeException | Error e) {
      shards.values().forEach(TensorFile::close);
      throw e;
    }
  }

  /** Returns the files of an index, which are beside it. */
  static Set<Path> shards(Path index) throws IOException {
    return read(index).values().stream().map(index::resolveSibling).collect(toImmutableSet());
  }

  static void write(Path index, long tensorBytes, Map<String, String> places) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      json.writeObjectFieldStart("metadata");
      json.writeNumberField("total_size", tensorBytes);
      json.writeEndObject();
      json.writeObjectFieldStart(WEIGHT_MAP);
      for (Map.Entry<String, String> place : places.entrySet()) {
        json.writeStringField(place.getKey(), place.getValue());
      }
      json.writeEndObject();
      json.writeEndObject();
    }
    DurableFiles.write(
        index,
        channel -> {
          ByteBuffer content = ByteBuffer.wrap(bytes.toByteArray());
          while (content.hasRemaining()) {
            channel.write(content);
          }
        });
  }

  private static ImmutableMap<String, String> read(Path index) throws IOException {
    long size = Files.size(index);
    if (size > Safetensors.MAX_HEADER) {
      throw new CheckpointException(
          index,
          String.format(
              "an index has at most %s bytes, but this has %s", Safetensors.MAX_HEADER, size));
    }
    return parse(index, Files.readAllBytes(index));
  }

  /**
   * Parses an index.
   *
   * @return the file names by tensor, in the index's order
   * @throws CheckpointException if it is malformed, or a name is not that of a file beside it
   */
  static ImmutableMap<String, String> parse(Path index, byte[] utf8) {
    ImmutableMap.Builder<String, String> places = ImmutableMap.builder();
    try (StrictJson json = StrictJson.of(index, utf8)) {
      json.beginObject();
      for (Optional<String> key = json.nextKey(); key.isPresent(); key = json.nextKey()) {
        json.entry(key.get());
        if (key.get().equals(WEIGHT_MAP)) {
          readPlaces(json, places);
        } else {
          json.skip();
        }
      }
      json.end();
    }
    ImmutableMap<String, String> parsed = places.buildOrThrow();
    if (parsed.isEmpty()) {
      throw new CheckpointException(index, "it names no tensors under '" + WEIGHT_MAP + "'");
    }
    return parsed;
  }

  private static void readPlaces(StrictJson json, ImmutableMap.Builder<String, String> places) {
    json.beginObject();
    for (Optional<String> name = json.nextKey(); name.isPresent(); name = json.nextKey()) {
      json.entry(name.get());
      String file = json.string();
      if (!PLAIN_NAME.matcher(file).matches()) {
        throw json.failure("'" + file + "' is not the plain name of a file beside the index");
      }
      places.put(name.get(), file);
    }
  }

  private static TensorFile openShard(Path index, String name) throws IOException {
    Path shard = index.resolveSibling(name);
    if (!Files.isRegularFile(shard)) {
      throw new CheckpointException(index, "the file " + name + " that it names is missing");
    }
    return TensorFile.openSingle(shard);
  }

  private static TensorFile joined(
      Path index, Map<String, String> places, Map<String, TensorFile> shards) {
    Map<String, FileTensor> tensors = new LinkedHashMap<>();
    places.forEach(
        (name, file) -> {
          FileTensor tensor = requireNonNull(shards.get(file)).tensors().get(name);
          if (tensor == null) {
            throw new CheckpointException(
                index,
                name,
                "the file " + file + " does not have it, though the index says so",
                null);
          }
          tensors.put(name, tensor);
        });
    TensorFile first = shards.values().iterator().next();
    Map<String, String> common = ImmutableMap.copyOf(ownMetadata(first));
    List<FileBytes> parts = new ArrayList<>();
    for (TensorFile shard : shards.values()) {
      if (!ownMetadata(shard).equals(common)) {
        throw new CheckpointException(
            index,
            String.format(
                "%s and %s were not written together: their metadata differ",
                first.path().getFileName(), shard.path().getFileName()));
      }
      parts.addAll(shard.parts());
      checkComplete(index, tensors, shard);
    }
    return new TensorFile(index, first.metadata(), tensors, parts);
  }

  /** Returns what files that are written together have in common, if we wrote them. */
  private static Map<String, String> ownMetadata(TensorFile shard) {
    return Maps.filterKeys(
        shard.metadata(), key -> key.startsWith("ema4j.") && !key.equals(Sha256Field.KEY));
  }

  private static void checkComplete(Path index, Map<String, FileTensor> tensors, TensorFile shard) {
    shard
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (tensors.get(name) != tensor) {
                throw new CheckpointException(
                    index,
                    name,
                    "it is in " + shard.path().getFileName() + ", but the index does not say so",
                    null);
              }
            });
  }
}
