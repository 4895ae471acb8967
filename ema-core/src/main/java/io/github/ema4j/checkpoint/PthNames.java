package io.github.ema4j.checkpoint;

import com.google.common.collect.ImmutableBiMap;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSet;
import com.google.common.collect.Maps;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.checkpoint.Unpickler.UnfitException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What the names in PyTorch's pickles mean: the classes and functions that tensors and state dicts
 * are saved as, and some whose values are harmless and not needed. What the user has asked to
 * ignore is read past too; every other name is {@link #refused}.
 *
 * <p>The arguments are those that {@code torch/_utils.py} has.
 */
final class PthNames implements Unpickler.Names {
  /** The types of elements by the name of their storage. */
  static final ImmutableBiMap<String, ElementType> STORAGES =
      ImmutableBiMap.<String, ElementType>builder()
          .put("torch.DoubleStorage", ElementType.F64)
          .put("torch.FloatStorage", ElementType.F32)
          .put("torch.HalfStorage", ElementType.F16)
          .put("torch.BFloat16Storage", ElementType.BF16)
          .put("torch.LongStorage", ElementType.I64)
          .put("torch.IntStorage", ElementType.I32)
          .put("torch.ShortStorage", ElementType.I16)
          .put("torch.CharStorage", ElementType.I8)
          .put("torch.ByteStorage", ElementType.U8)
          .put("torch.BoolStorage", ElementType.BOOL)
          .buildOrThrow();

  private static final ImmutableMap<String, PyGlobal> KNOWN =
      ImmutableMap.<String, PyGlobal>builder()
          .putAll(global("collections.OrderedDict", PthNames::orderedDict))
          .putAll(global("torch._utils._rebuild_tensor", PthNames::tensor))
          .putAll(global("torch._utils._rebuild_tensor_v2", PthNames::tensor))
          .putAll(global("torch._utils._rebuild_parameter", PthNames::parameter))
          .putAll(global("torch._utils._rebuild_parameter_with_state", PthNames::parameter))
          .putAll(global("torch._tensor._rebuild_from_type_v2", PthNames::fromType))
          .putAll(global("torch.Tensor", PthNames::notCalled))
          .putAll(global("torch.nn.parameter.Parameter", PthNames::notCalled))
          .putAll(Maps.asMap(STORAGES.keySet(), name -> new PyGlobal(name, PthNames::notCalled)))
          .buildOrThrow();

  private static final ImmutableSet<String> UNREAD =
      ImmutableSet.of(
          "__builtin__.bytearray",
          "__builtin__.complex",
          "__builtin__.frozenset",
          "__builtin__.set",
          "_codecs.encode",
          "argparse.Namespace",
          "builtins.bytearray",
          "builtins.complex",
          "builtins.frozenset",
          "builtins.set",
          "collections.Counter",
          "torch.Size",
          "torch.bfloat16",
          "torch.bool",
          "torch.complex128",
          "torch.complex64",
          "torch.device",
          "torch.float16",
          "torch.float32",
          "torch.float64",
          "torch.int16",
          "torch.int32",
          "torch.int64",
          "torch.int8",
          "torch.uint8");

  /** PyTorch's operations take no more than 64; models have a handful. */
  private static final int MAX_DIMENSIONS = 16;

  /** Some of a storage's elements; all of them but in old files. */
  private record View(PthStorage storage, long begin, long elements) {}

  private final ImmutableSet<String> ignored;
  private final Set<String> refused = new TreeSet<>();
  private final Map<String, PthStorage> storages = new LinkedHashMap<>();

  /**
   * Prepares for one pickle.
   *
   * @param ignored names of classes and functions whose values are read past
   */
  PthNames(Set<String> ignored) {
    this.ignored = ImmutableSet.copyOf(ignored);
  }

  private static ImmutableMap<String, PyGlobal> global(
      String name, Function<PyTuple, Object> call) {
    return ImmutableMap.of(name, new PyGlobal(name, call));
  }

  /** Returns the names that are not read: if there is any, the pickle is not to be used. */
  Set<String> refused() {
    return Collections.unmodifiableSet(refused);
  }

  /** Returns the storages that tensors are views of, by key. */
  Map<String, PthStorage> storages() {
    return Collections.unmodifiableMap(storages);
  }

  @Override
  public Object global(String name) {
    PyGlobal meaning = KNOWN.get(name);
    if (meaning != null) {
      return meaning;
    }
    if (!UNREAD.contains(name) && !ignored.contains(name)) {
      refused.add(Unpickler.abbreviate(name));
    }
    return new PyUnread(name);
  }

  /** Takes {@code ("storage", type, key, location, elements[, view])}. */
  @Override
  public Object persistent(PyTuple id) {
    String kind = argument(id, 0, String.class, "the kind");
    if (!kind.equals("storage")) {
      throw new UnfitException(
          String.format(
              "the file holds a '%s', such as a whole model; only tensors are read: save the"
                  + " model's state_dict() instead",
              Unpickler.abbreviate(kind)));
    }
    if (argument(id, 1, Object.class, "the storage's type") instanceof PyUnread unread) {
      return unread;
    }
    String type = argument(id, 1, PyGlobal.class, "the storage's type").name();
    String key = argument(id, 2, String.class, "the storage's key");
    long elements = notNegative(argument(id, 4, Long.class, "the storage's size"), "size");
    PthStorage storage = storage(type, key, elements);
    return id.items().size() > 5 && id.items().get(5) instanceof PyTuple view
        ? view(storage, view)
        : new View(storage, 0, elements);
  }

  private PthStorage storage(String typeName, String key, long elements) {
    ElementType type = STORAGES.get(typeName);
    if (type == null) {
      throw new UnfitException("'" + typeName + "' is not a type of storage");
    }
    if (elements > Long.MAX_VALUE / type.bytes()) {
      throw new UnfitException("a storage has " + elements + " elements of type " + type);
    }
    PthStorage storage = new PthStorage(key, type, elements);
    PthStorage before = storages.putIfAbsent(key, storage);
    if (before == null) {
      return storage;
    }
    if (!before.equals(storage)) {
      throw new UnfitException(
          String.format(
              "the storage '%s' is said to have %s elements of type %s, and %s of type %s",
              Unpickler.abbreviate(key), before.elements(), before.type(), elements, type));
    }
    return before;
  }

  /** Takes {@code (key, offset, elements)}. */
  private static View view(PthStorage storage, PyTuple view) {
    long begin = notNegative(argument(view, 1, Long.class, "a view's offset"), "offset");
    long elements = notNegative(argument(view, 2, Long.class, "a view's size"), "size");
    requireInside(begin, elements, storage.elements());
    return new View(storage, begin, elements);
  }

  /** Takes {@code (storage, offset, shape, strides[, requires_grad, hooks[, metadata]])}. */
  private static Object tensor(PyTuple arguments) {
    Object storage = argument(arguments, 0, Object.class, "the storage");
    if (storage instanceof PyUnread) {
      return storage;
    }
    View view = argument(arguments, 0, View.class, "the storage");
    long offset = notNegative(argument(arguments, 1, Long.class, "the offset"), "offset");
    ImmutableLongArray shape = longs(argument(arguments, 2, PyTuple.class, "the shape"));
    ImmutableLongArray strides = longs(argument(arguments, 3, PyTuple.class, "the strides"));
    if (arguments.items().size() > 6
        && arguments.items().get(6) instanceof PyDict flags
        && !flags.items().isEmpty()) {
      throw new UnfitException(
          "a tensor's values are to be changed on reading: "
              + Unpickler.abbreviate(flags.items().keySet().toString()));
    }
    TensorSpec spec = spec(view.storage.type(), shape, strides);
    requireInside(offset, spec.extent(), view.elements);
    return new PthTensor(view.storage, view.begin + offset, spec);
  }

  private static TensorSpec spec(
      ElementType type, ImmutableLongArray shape, ImmutableLongArray strides) {
    try {
      return new TensorSpec(type, shape, strides, Device.CPU);
    } catch (IllegalArgumentException e) {
      throw new UnfitException("a tensor is impossible: " + e.getMessage());
    }
  }

  private static void requireInside(long offset, long elements, long room) {
    if (offset > room || elements > room - offset) {
      throw new UnfitException(
          String.format(
              "a tensor takes %s elements from number %s on, but its storage has %s",
              elements, offset, room));
    }
  }

  private static Object parameter(PyTuple arguments) {
    Object tensor = argument(arguments, 0, Object.class, "the tensor");
    return tensor instanceof PyUnread
        ? tensor
        : argument(arguments, 0, PthTensor.class, "the tensor");
  }

  /** Takes {@code (function, type, arguments, state)}. */
  private static Object fromType(PyTuple arguments) {
    PyTuple inner = argument(arguments, 2, PyTuple.class, "the arguments");
    if (argument(arguments, 1, Object.class, "the type") instanceof PyUnread unread) {
      return unread;
    }
    PyGlobal function = argument(arguments, 0, PyGlobal.class, "the function");
    if (!function.name().startsWith("torch._utils.")) {
      // What calls itself again could nest without end.
      throw new UnfitException("a tensor is made by '" + function.name() + "'");
    }
    return function.call().apply(inner);
  }

  /** Takes nothing, or a list of pairs, as Python 2 wrote them. The pairs move into the dict. */
  private static Object orderedDict(PyTuple arguments) {
    PyDict dict = new PyDict();
    if (arguments.items().isEmpty()) {
      return dict;
    }
    PyList pairs = argument(arguments, 0, PyList.class, "the list of pairs");
    for (Object each : pairs.items()) {
      if (!(each instanceof PyList pair && pair.items().size() == 2)) {
        throw new UnfitException("an OrderedDict is made of something else than pairs");
      }
      if (!dict.put(pair.items().get(0), pair.items().get(1))) {
        throw new UnfitException(
            "an OrderedDict has twice the key " + Unpickler.describe(pair.items().get(0)));
      }
    }
    pairs.items().clear();
    return dict;
  }

  private static Object notCalled(PyTuple arguments) {
    throw new UnfitException("a type is called with " + arguments);
  }

  private static ImmutableLongArray longs(PyTuple tuple) {
    ImmutableList<Object> items = tuple.items();
    if (items.size() > MAX_DIMENSIONS) {
      throw new UnfitException(
          String.format("a tensor has %s dimensions; %s are read", items.size(), MAX_DIMENSIONS));
    }
    ImmutableLongArray.Builder longs = ImmutableLongArray.builder(items.size());
    for (int i = 0; i < items.size(); i++) {
      longs.add(argument(tuple, i, Long.class, "a size"));
    }
    return longs.build();
  }

  private static <T> T argument(PyTuple arguments, int index, Class<T> type, String what) {
    @Nullable Object value = index < arguments.items().size() ? arguments.items().get(index) : null;
    if (!type.isInstance(value)) {
      throw new UnfitException(
          String.format(
              "%s should be a %s, but is %s",
              what,
              Unpickler.typeName(type),
              value == null ? "missing" : "a " + Unpickler.typeName(value)));
    }
    return type.cast(value);
  }

  private static long notNegative(long value, String what) {
    if (value < 0) {
      throw new UnfitException("the " + what + " of a storage or tensor is negative: " + value);
    }
    return value;
  }
}
