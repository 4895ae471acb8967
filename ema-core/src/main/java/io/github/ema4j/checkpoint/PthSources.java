package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.internal.RowMajorReader;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The tensors of which a file is made, and a storage in it for each; tied tensors share theirs, so
 * that they are tied again when PyTorch has read them.
 */
final class PthSources {
  private final List<Source<?>> sources = new ArrayList<>();
  private final Map<Place, PthTensor> known = new HashMap<>();

  /** A tensor that is written, and where to. */
  private record Source<T>(PthStorage storage, Tensors<T> owner, Entry<T> entry) {

    void read(RowMajorReader reader, RowMajorReader.Sink sink) throws IOException {
      reader.read(owner, entry, sink);
    }
  }

  /** What makes two tensors tied. */
  private record Place(Storage storage, TensorSpec spec) {}

  /** Takes a storage's bytes. */
  interface Output {
    /** Takes all of them from the reader. */
    void write(PthStorage storage, Reading reading) throws IOException;
  }

  /** Reads a storage's bytes. */
  interface Reading {
    /** Reads all of them, piece by piece. */
    void readInto(RowMajorReader.Sink sink) throws IOException;
  }

  /**
   * Adds the tensors of a state dict, which must live until they are written.
   *
   * @param owner what they belong to, for messages
   * @return what the file says of each, by name
   */
  <T> ImmutableMap<String, PthTensor> add(StateDict<T> state, String owner, String prefix) {
    state.refresh();
    Tensors<T> tensors = new Tensors<>(owner, state.backend(), state.entries());
    ImmutableMap.Builder<String, PthTensor> added = ImmutableMap.builder();
    for (Entry<T> entry : state.entries()) {
      Place place = new Place(state.backend().storage(entry.tensor()), entry.spec());
      PthTensor tensor = place.storage.bytes() > 0 ? known.get(place) : null;
      if (tensor == null) {
        tensor = add(tensors, entry);
        known.put(place, tensor);
      }
      added.put(prefix + entry.name(), tensor);
    }
    return added.buildOrThrow();
  }

  private <T> PthTensor add(Tensors<T> owner, Entry<T> entry) {
    TensorSpec spec = entry.spec();
    String key = String.valueOf(sources.size());
    PthStorage storage = new PthStorage(key, spec.type(), spec.elements());
    sources.add(new Source<>(storage, owner, entry));
    return new PthTensor(storage, 0, spec.withRowMajorStrides());
  }

  /** Writes every storage, in the order of their keys. */
  void writeTo(Output output, RowMajorReader reader) throws IOException {
    for (Source<?> source : sources) {
      output.write(source.storage, sink -> source.read(reader, sink));
    }
  }
}
