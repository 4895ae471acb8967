package io.github.ema4j.checkpoint;

import com.google.common.base.Splitter;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSet;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.PthLayout.Part;
import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open file that PyTorch's {@code torch.save} wrote, for reading: {@code .pth}, {@code .pt},
 * {@code .pth.tar}, as zip files or in the format before PyTorch 1.6.
 *
 * <pre>{@code
 * try (PthFile file = PthFile.open(Path.of("model_best.pth.tar"))) {
 *   ema.load(file.average(PthLayout.TIMM));
 * }
 * }</pre>
 *
 * <p>Nothing that the file says is executed: it may name state dicts, tensors, parameters, numbers,
 * text and plain containers of these; every other Python object is refused by name. The tensors
 * stay in the file, which is mapped: what is not used is not read, and none is copied to the heap.
 * Checksums, where the file has them, are compared when a state dict is asked for, but for those of
 * a {@link FileSource}, which is to be read only where it is needed. The file must not be changed
 * while it is open. Thread-safe.
 */
public final class PthFile implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PthFile.class);
  private static final int ZIP_MAGIC = 0x04034b50;

  /** What wrappers around a model count their updates in. */
  private static final ImmutableSet<String> COUNTERS = ImmutableSet.of("n_averaged", "steps");

  private static final int NAMES_IN_MESSAGE = 20;

  private final FileBytes file;
  private final PthContent content;
  private final Set<PthStorage> verified = ConcurrentHashMap.newKeySet();

  private PthFile(FileBytes file, PthContent content) {
    this.file = file;
    this.content = content;
  }

  /**
   * Opens a file.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException if its content is not what it should be
   */
  public static PthFile open(Path path) throws IOException {
    return open(path, Set.of());
  }

  /**
   * Opens a file, reading past some Python objects in it. Their values are dropped, and nothing of
   * them is executed.
   *
   * @param ignored names of Python classes and functions, such as {@code
   *     numpy.core.multiarray.scalar}
   * @throws IOException if it cannot be read
   * @throws CheckpointException if its content is not what it should be
   */
  public static PthFile open(Path path, Set<String> ignored) throws IOException {
    FileBytes bytes = FileBytes.map(path);
    try {
      return read(bytes, ignored);
    } catch (RuntimeException | Error e) {
      bytes.close();
      throw e;
    }
  }

  /**
   * Tells by its first bytes whether a file is one of PyTorch's, a zip file or a pickle, and not a
   * safetensors file, whose length may begin so too and is followed by a brace.
   *
   * @throws IOException if it cannot be read
   */
  public static boolean isOne(Path path) throws IOException {
    try (FileBytes file = FileBytes.map(path)) {
      return isOne(file);
    }
  }

  static boolean isOne(FileBytes file) {
    boolean brace = file.size() > Long.BYTES && file.slice(Long.BYTES, 1).get(0) == '{';
    return (isZip(file) || isPickle(file)) && !brace;
  }

  private static boolean isZip(FileBytes file) {
    return file.size() >= Integer.BYTES && file.slice(0, 4).getInt(0) == ZIP_MAGIC;
  }

  private static boolean isPickle(FileBytes file) {
    return file.size() > 0 && (file.slice(0, 1).get(0) & 0xff) == PickleOp.PROTO;
  }

  static PthFile read(FileBytes file, Set<String> ignored) {
    boolean isZip = isZip(file);
    if (!isZip && !isPickle(file)) {
      throw new CheckpointException(
          file.path(), "it is no file of torch.save: neither a zip file nor a pickle");
    }
    return new PthFile(file, isZip ? PthZip.read(file, ignored) : PthLegacy.read(file, ignored));
  }

  /** Returns where the file is. */
  public Path path() {
    return file.path();
  }

  /** Returns the keys at the top of the file, in its order. */
  public ImmutableSet<String> keys() {
    return ImmutableSet.copyOf(itemsAt("").keySet());
  }

  /**
   * Returns the values at the top of the file that are text, truth values, integers ({@link Long})
   * or floating-point numbers ({@link Double}), such as timm's {@code epoch} and {@code arch}.
   */
  public ImmutableMap<String, Object> values() {
    ImmutableMap.Builder<String, Object> values = ImmutableMap.builder();
    itemsAt("")
        .forEach(
            (key, value) -> {
              if (value instanceof String || value instanceof Number || value instanceof Boolean) {
                values.put(key, value);
              }
            });
    return values.buildOrThrow();
  }

  /** Tells whether the file has an average where a layout says. */
  public boolean hasAverage(PthLayout layout) {
    boolean complete = !layout.swapped() || has(layout.model());
    return complete && has(layout.average());
  }

  /**
   * Returns the model's own weights.
   *
   * @throws CheckpointException if the file does not have them where the layout says
   * @throws IllegalArgumentException if the layout has none
   */
  public StateDict<FileTensor> model(PthLayout layout) {
    boolean alone = layout.swapped() && !hasAverage(layout);
    return stateDict(part(alone ? layout.average() : layout.model(), layout).key());
  }

  /**
   * Returns the average; where the file has none, the model's weights to start from, with a
   * warning.
   *
   * @throws CheckpointException if the file has neither where the layout says
   */
  public StateDict<FileTensor> average(PthLayout layout) {
    if (hasAverage(layout) || layout.model().isEmpty()) {
      return stateDict(part(layout.average(), layout).key());
    }
    StateDict<FileTensor> model = model(layout);
    LOG.warn("{} has no average as {} has it; starting from the model's weights", path(), layout);
    return model;
  }

  /**
   * Returns how many updates a wrapper around the average or the model has counted; empty where
   * there is none.
   */
  public OptionalLong updates(PthLayout layout) {
    return Stream.of(layout.average(), layout.model())
        .flatMap(Optional::stream)
        .flatMap(part -> find(part.key()).stream())
        .flatMap(items -> Unwrapped.of(items).count.stream())
        .mapToLong(this::readLong)
        .findFirst();
  }

  /**
   * Returns the tensors of a dict in the file under their names there, in its order, as {@link
   * TensorFile#stateDict()} does; it lives as long as the file is open. Names lose the {@code
   * module.} that a wrapper which counts its updates has put before them, and the counter is left
   * out. What is no tensor is left out with a warning.
   *
   * @param key its key, or keys joined by {@code /}; empty for the file's topmost dict
   * @throws CheckpointException if there is no such dict, it has no tensors, or their bytes are
   *     damaged
   */
  public StateDict<FileTensor> stateDict(String key) {
    ImmutableMap.Builder<String, FileTensor> tensors = ImmutableMap.builder();
    List<String> others = new ArrayList<>();
    Map<String, Object> items = itemsAt(key);
    Unwrapped.of(items)
        .items
        .forEach(
            (name, value) -> {
              if (value instanceof PthTensor tensor) {
                tensors.put(name, fileTensor(tensor));
              } else {
                others.add("'" + Unpickler.abbreviate(name) + "'");
              }
            });
    ImmutableMap<String, FileTensor> found = tensors.buildOrThrow();
    if (found.isEmpty()) {
      throw bad(key, "it has no tensors, but " + keys(items));
    }
    if (!others.isEmpty()) {
      LOG.warn("{}: left out of '{}', as they are no tensors: {}", path(), key, shorten(others));
    }
    return new TensorFile(path(), Map.of(), found, List.of()).stateDict();
  }

  /**
   * Compares the checksums of all that the file has, as far as it has some: those of the format
   * before PyTorch 1.6 have none, and pass. Reads all of it.
   *
   * @throws CheckpointException if a byte has changed
   * @throws IllegalStateException if the file is closed
   */
  public void verify() {
    content.verify();
  }

  boolean hasChecksums() {
    return content.hasChecksums();
  }

  /**
   * Closes the file; using its tensors is an error from then on. Mapped memory is given back when
   * it is garbage.
   */
  @Override
  public void close() {
    file.close();
  }

  /** A state dict's items without what a wrapper around the model has added. */
  private record Unwrapped(Map<String, Object> items, Optional<PthTensor> count) {

    static Unwrapped of(Map<String, Object> items) {
      for (String counter : COUNTERS) {
        if (items.get(counter) instanceof PthTensor count && allWrappedBut(counter, items)) {
          Map<String, Object> inner = new LinkedHashMap<>();
          items.forEach(
              (name, value) -> {
                if (!name.equals(counter)) {
                  inner.put(name.substring(PthLayout.WRAPPER.length()), value);
                }
              });
          return new Unwrapped(inner, Optional.of(count));
        }
      }
      return new Unwrapped(items, Optional.empty());
    }

    private static boolean allWrappedBut(String counter, Map<String, Object> items) {
      return items.keySet().stream()
          .allMatch(name -> name.equals(counter) || name.startsWith(PthLayout.WRAPPER));
    }
  }

  private static Part part(Optional<Part> part, PthLayout layout) {
    return part.orElseThrow(
        () -> new IllegalArgumentException("the layout " + layout + " has no such state dict"));
  }

  private boolean has(Optional<Part> part) {
    return part.flatMap(it -> find(it.key())).isPresent();
  }

  /** Returns the items of the dict under a key, if there is one. */
  private Optional<Map<String, Object>> find(String key) {
    Object value = content.root();
    for (String each : parts(key)) {
      value = value instanceof PyDict dict ? dict.items().get(each) : null;
    }
    return value instanceof PyDict dict ? Optional.of(dict.items()) : Optional.empty();
  }

  private Map<String, Object> itemsAt(String key) {
    return find(key)
        .orElseThrow(
            () ->
                bad(
                    key,
                    "there is no such dict; the file has "
                        + find("").map(PthFile::keys).orElse(Unpickler.describe(content.root()))));
  }

  private static Iterable<String> parts(String key) {
    return key.isEmpty() ? List.of() : Splitter.on('/').split(key);
  }

  private FileTensor fileTensor(PthTensor tensor) {
    if (file.source().isEmpty() && !verified.contains(tensor.storage())) {
      content.verify(tensor.storage());
      verified.add(tensor.storage());
    }
    long skipped = tensor.offset() * tensor.spec().type().bytes();
    return new FileTensor(
        file, content.offset(tensor.storage()) + skipped, content.order(), tensor.spec());
  }

  private long readLong(PthTensor tensor) {
    if (tensor.spec().type() != ElementType.I64 || tensor.spec().elements() != 1) {
      throw bad("", "a count of updates should be one int64, but is " + tensor.spec());
    }
    return ((LongBuffer) fileTensor(tensor).memory().segmentAt(0)).get(0);
  }

  private static String keys(Map<String, Object> items) {
    return "the keys " + shorten(items.keySet());
  }

  private static String shorten(Collection<String> names) {
    return Unpickler.abbreviate(
        names.stream().limit(NAMES_IN_MESSAGE).collect(Collectors.joining(", ")));
  }

  private CheckpointException bad(String key, String reason) {
    return new CheckpointException(path(), key.isEmpty() ? null : key, reason, null);
  }
}
