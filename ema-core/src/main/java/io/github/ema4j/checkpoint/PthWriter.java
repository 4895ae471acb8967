package io.github.ema4j.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import com.google.common.base.Splitter;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Pickler.StateDictValue;
import io.github.ema4j.checkpoint.PthLayout.Part;
import io.github.ema4j.internal.Checks;
import io.github.ema4j.internal.RowMajorReader;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Writes files that PyTorch reads by {@code torch.load(path, weights_only=True)}.
 *
 * <pre>{@code
 * PthWriter.of(PthLayout.TIMM)
 *     .model(adapter.stateDict(model))
 *     .average(ema.state())
 *     .value("epoch", 3)
 *     .value("arch", "resnet50")
 *     .write(Path.of("checkpoint-3.pth.tar"));
 * }</pre>
 *
 * <p>Tensors are written one after the other, row-major whatever their layout, with no more memory
 * than a piece of one takes; tied ones once. The same content makes the same bytes. Not
 * thread-safe.
 */
public final class PthWriter {
  private static final int PIECE_BYTES = 1 << 20;
  private static final String FOLDER = "archive/";

  private final PthLayout layout;
  private final Map<String, @Nullable Object> values;
  private @Nullable StateDict<?> model;
  private @Nullable StateDict<?> average;
  private OptionalLong updates = OptionalLong.empty();

  private PthWriter(PthLayout layout) {
    this.layout = layout;
    values = new LinkedHashMap<>(layout.values());
  }

  /** Starts a file. */
  public static PthWriter of(PthLayout layout) {
    return new PthWriter(requireNonNull(layout, "layout"));
  }

  /**
   * Sets the model's own weights, which must live until they are written.
   *
   * @throws IllegalArgumentException if the layout has no place for them
   */
  public PthWriter model(StateDict<?> state) {
    checkArgument(layout.model().isPresent(), "the layout %s has no model's weights", layout);
    model = requireNonNull(state, "state");
    return this;
  }

  /**
   * Sets the average, which must live until it is written.
   *
   * @throws IllegalArgumentException if the layout has no place for it
   */
  public PthWriter average(StateDict<?> state) {
    checkArgument(layout.average().isPresent(), "the layout %s has no average", layout);
    average = requireNonNull(state, "state");
    return this;
  }

  /**
   * Sets how many updates there were, for layouts that count them.
   *
   * @throws IllegalArgumentException if the number is negative or the layout does not count
   */
  public PthWriter updates(long count) {
    Checks.notNegative("updates", count);
    checkArgument(layout.counts(), "the layout %s does not count updates", layout);
    updates = OptionalLong.of(count);
    return this;
  }

  /**
   * Adds a value at the top of the file, such as timm's {@code epoch} (the last one that was
   * completed) and {@code arch}.
   *
   * @param value null, a truth value, a number, text, a list of such, or a map from text to such
   * @throws IllegalArgumentException if it is something else, the key is a state dict's, or the
   *     file has nothing but one
   */
  public PthWriter value(String key, @Nullable Object value) {
    requireNonNull(key, "key");
    checkArgument(
        !layout.keysAtTop().contains(key) && !layout.keysAtTop().contains(""),
        "the layout %s has no place for a value under '%s'",
        layout,
        key);
    Pickler.pickle(value);
    values.put(key, value);
    return this;
  }

  /**
   * Writes the file, durably: it is there as a whole or not at all.
   *
   * @throws IllegalStateException if nothing was given, or something that the layout needs was not
   * @throws IOException if that fails; a file that was there before is as it was
   */
  public void write(Path path) throws IOException {
    PthSources sources = new PthSources();
    byte[] pickle = Pickler.pickle(root(sources));
    checkState(
        pickle.length <= PthPickle.MAX_BYTES,
        "names and values take %s bytes, but may have %s",
        pickle.length,
        PthPickle.MAX_BYTES);
    DurableFiles.write(path, channel -> write(channel, pickle, sources));
  }

  private static void write(FileChannel channel, byte[] pickle, PthSources sources)
      throws IOException {
    ZipWriter zip = new ZipWriter(channel, ZipWriter.TOO_LARGE);
    zip.add(FOLDER + "data.pkl", pickle);
    zip.add(FOLDER + "byteorder", ascii("little"));
    sources.writeTo(
        (storage, reading) ->
            zip.add(
                FOLDER + "data/" + storage.key(),
                storage.bytes(),
                output -> reading.readInto(output::write)),
        new RowMajorReader(PIECE_BYTES));
    zip.add(FOLDER + "version", ascii("3\n"));
    zip.finish();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /** Returns the value that the file consists of. */
  private Object root(PthSources sources) {
    checkState(model != null || average != null, "neither a model nor an average was given");
    checkState(
        !layout.swapped() || model != null,
        "the layout %s has an average only beside the model's weights; give these too",
        layout);
    Dict root = new Dict(values);
    if (model != null) {
      // MMEngine without an average has the model's weights where the average would be.
      boolean alone = layout.swapped() && average == null;
      Part part = (alone ? layout.average() : layout.model()).orElseThrow();
      StateDictValue value = value(sources, model, "model", part);
      if (part.key().isEmpty()) {
        return value;
      }
      root.putAt(part.key(), value);
    }
    if (average != null) {
      Part part = layout.average().orElseThrow();
      StateDictValue value = value(sources, average, "average", part);
      if (part.key().isEmpty()) {
        return value;
      }
      root.putAt(part.key(), value);
    }
    return root;
  }

  private StateDictValue value(PthSources sources, StateDict<?> state, String owner, Part part) {
    if (part.counter().isEmpty()) {
      return new StateDictValue(sources.add(state, owner, ""));
    }
    checkState(
        updates.isPresent(), "the layout %s counts updates; say how many by updates(n)", layout);
    StateDict<ArrayTensor> counter =
        StateDict.builder(ArrayBackend.instance())
            .counter(part.counter().get(), ArrayTensor.of(new long[] {updates.getAsLong()}))
            .build();
    return new StateDictValue(
        ImmutableMap.<String, PthTensor>builder()
            .putAll(sources.add(counter, owner, ""))
            .putAll(sources.add(state, owner, PthLayout.WRAPPER))
            .buildOrThrow());
  }

  /** A dict that is to be written. */
  private static final class Dict extends LinkedHashMap<String, @Nullable Object> {
    private static final long serialVersionUID = 1;

    Dict(Map<String, @Nullable Object> values) {
      super(values);
    }

    void putAt(String key, Object value) {
      List<String> keys = Splitter.on('/').splitToList(key);
      Dict dict = this;
      for (String outer : keys.subList(0, keys.size() - 1)) {
        dict = dict.inner(outer);
      }
      dict.put(keys.get(keys.size() - 1), value);
    }

    private Dict inner(String key) {
      Object inner = computeIfAbsent(key, missing -> new Dict(Map.of()));
      return (Dict) requireNonNull(inner);
    }
  }
}
