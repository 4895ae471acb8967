package io.github.ema4j.checkpoint;

import static com.google.common.collect.ImmutableSet.toImmutableSet;
import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.google.common.base.Strings;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import com.google.common.collect.Sets;
import io.github.ema4j.TensorSpec;
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
import java.util.stream.Collectors;

/**
 * The index of a model in several files, as Hugging Face's transformers writes it: {@code
 * {"metadata": {"total_size": 1}, "weight_map": {"name": "file"}}}. Where files could not be given
 * their own digests, as they were streamed, the metadata has them: {@code "ema4j.sha256": {"file":
 * "digits"}}.
 *
 * @param places the file names by tensor, in the index's order
 * @param digests of files as a whole, by file name; of those that have none of their own
 */
record ShardIndex(ImmutableMap<String, String> places, ImmutableMap<String, String> digests) {
  static final String ENDING = ".index.json";
  static final String SUFFIX = ".safetensors" + ENDING;

  /** Under which a shard's metadata say how many tensors all shards have together. */
  static final String ALL_TENSORS = "ema4j.tensors";

  private static final String METADATA = "metadata";
  private static final String WEIGHT_MAP = "weight_map";
  private static final Pattern PLAIN_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]*");

  /** Opens the files that an index names. */
  interface Opener {
    /** Opens the file of a name, which is beside the index. */
    TensorFile open(String name) throws IOException;
  }

  /**
   * Opens an index and all of its files.
   *
   * @throws IOException if one cannot be read
   * @throws CheckpointException if one is not what it should be, or they do not belong together
   */
  static TensorFile open(Path index) throws IOException {
    ShardIndex parsed = read(index);
    return open(index, parsed.places, name -> openShard(index, name)).withDigests(parsed.digests);
  }

  /** Does the same for an index elsewhere, which is closed. */
  static TensorFile open(FileSource index) throws IOException {
    try (index) {
      ShardIndex parsed = read(index);
      Opener opener = name -> TensorFile.openSingle(FileBytes.of(index.sibling(name)));
      return open(index.path(), parsed.places, opener).withDigests(parsed.digests);
    }
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
    return read(index).places.values().stream()
        .map(index::resolveSibling)
        .collect(toImmutableSet());
  }

  /**
   * Writes the index of shards that several processes have written beside it, durably, once they
   * are known to be all of one checkpoint.
   *
   * @throws IOException if one cannot be read, or the index cannot be written
   * @throws CheckpointException if one is damaged, or they do not belong together
   */
  static void join(Path index, List<Path> files) throws IOException {
    Map<String, String> places = new LinkedHashMap<>();
    Map<String, TensorFile> shards = new LinkedHashMap<>();
    try {
      for (Path file : files) {
        String name = file.getFileName().toString();
        TensorFile shard = TensorFile.openSingle(file);
        shards.put(name, shard);
        checkIsShard(shard, files.size());
        for (String tensor : shard.tensors().keySet()) {
          String other = places.putIfAbsent(tensor, name);
          if (other != null) {
            throw new CheckpointException(
                file,
                tensor,
                "it is in " + other + " too; each process has a shard of its own",
                null);
          }
        }
      }
      TensorFile joined = joined(index, places, shards);
      checkHasAll(joined);
      write(index, tensorBytes(joined), places);
    } finally {
      shards.values().forEach(TensorFile::close);
    }
  }

  private static void checkIsShard(TensorFile shard, int count) {
    if (count > 1 && !shard.metadata().containsKey(ALL_TENSORS)) {
      throw new CheckpointException(
          shard.path(),
          "it has the average of a whole model; make averages by adapter.shard(index, count)");
    }
  }

  /**
   * Checks that a checkpoint of several processes has all that they have written.
   *
   * @throws CheckpointException if it has not, as a single shard
   */
  static void checkHasAll(TensorFile file) {
    String has = String.valueOf(file.tensors().size());
    String all = file.metadata().getOrDefault(ALL_TENSORS, has);
    if (!all.equals(has)) {
      throw new CheckpointException(
          file.path(),
          String.format(
              "it has %s tensors of a checkpoint that has %s; open the index of all its shards",
              has, Unpickler.abbreviate(all)));
    }
  }

  private static long tensorBytes(TensorFile file) {
    return file.tensors().values().stream()
        .map(FileTensor::spec)
        .mapToLong(TensorSpec::bytes)
        .sum();
  }

  static void write(Path index, long tensorBytes, Map<String, String> places) throws IOException {
    DurableFiles.write(index, json(tensorBytes, places, Map.of()));
  }

  /**
   * Returns an index as JSON.
   *
   * @param places the file names by tensor
   * @param digests by file name; empty if each file has its own
   */
  static byte[] json(long tensorBytes, Map<String, String> places, Map<String, String> digests)
      throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      json.writeObjectFieldStart(METADATA);
      json.writeNumberField("total_size", tensorBytes);
      if (!digests.isEmpty()) {
        writeObject(json, Sha256Field.KEY, digests);
      }
      json.writeEndObject();
      writeObject(json, WEIGHT_MAP, places);
      json.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private static void writeObject(JsonGenerator json, String key, Map<String, String> values)
      throws IOException {
    json.writeObjectFieldStart(key);
    for (Map.Entry<String, String> value : values.entrySet()) {
      json.writeStringField(value.getKey(), value.getValue());
    }
    json.writeEndObject();
  }

  private static ShardIndex read(Path index) throws IOException {
    checkSize(index, Files.size(index));
    return parse(index, Files.readAllBytes(index));
  }

  /**
   * Reads an index elsewhere, which is left open.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException as {@link #parse}
   */
  static ShardIndex read(FileSource index) throws IOException {
    checkSize(index.path(), index.size());
    byte[] utf8 = new byte[(int) index.size()];
    index.read(0, ByteBuffer.wrap(utf8));
    return parse(index.path(), utf8);
  }

  private static void checkSize(Path index, long size) {
    if (size > Safetensors.MAX_HEADER) {
      throw new CheckpointException(
          index,
          String.format(
              "an index has at most %s bytes, but this has %s", Safetensors.MAX_HEADER, size));
    }
  }

  /**
   * Parses an index.
   *
   * @throws CheckpointException if it is malformed, or a name is not that of a file beside it
   */
  static ShardIndex parse(Path index, byte[] utf8) {
    ImmutableMap.Builder<String, String> places = ImmutableMap.builder();
    ImmutableMap.Builder<String, String> digests = ImmutableMap.builder();
    try (StrictJson json = StrictJson.of(index, utf8)) {
      json.beginObject();
      for (Optional<String> key = json.nextKey(); key.isPresent(); key = json.nextKey()) {
        json.entry(key.get());
        if (key.get().equals(WEIGHT_MAP)) {
          readPlaces(json, places);
        } else if (key.get().equals(METADATA) && json.beginObjectOrSkip()) {
          readMetadata(json, digests);
        } else if (!key.get().equals(METADATA)) {
          json.skip();
        }
      }
      json.end();
    }
    ShardIndex parsed = new ShardIndex(places.buildOrThrow(), digests.buildOrThrow());
    if (parsed.places.isEmpty()) {
      throw new CheckpointException(index, "it names no tensors under '" + WEIGHT_MAP + "'");
    }
    return parsed;
  }

  private static void readMetadata(StrictJson json, ImmutableMap.Builder<String, String> digests) {
    for (Optional<String> key = json.nextKey(); key.isPresent(); key = json.nextKey()) {
      json.entry(key.get());
      if (!key.get().equals(Sha256Field.KEY)) {
        json.skip();
        continue;
      }
      json.beginObject();
      for (Optional<String> file = json.nextKey(); file.isPresent(); file = json.nextKey()) {
        digests.put(file.get(), json.string());
      }
    }
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
                "%s and %s were not written together: %s",
                first.path().getFileName(),
                shard.path().getFileName(),
                differences(common, ownMetadata(shard))));
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

  private static String differences(Map<String, String> first, Map<String, String> other) {
    return Sets.union(first.keySet(), other.keySet()).stream()
        .map(key -> difference(key, first.getOrDefault(key, ""), other.getOrDefault(key, "")))
        .flatMap(Optional::stream)
        .collect(Collectors.joining(", "));
  }

  /** Tells two values that differ, from shortly before where they do. */
  private static Optional<String> difference(String key, String first, String other) {
    int from = Math.max(0, Strings.commonPrefix(first, other).length() - 40);
    return first.equals(other)
        ? Optional.empty()
        : Optional.of(
            String.format(
                "%s is '%s' and '%s'",
                key,
                Unpickler.abbreviate(first.substring(from)),
                Unpickler.abbreviate(other.substring(from))));
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
