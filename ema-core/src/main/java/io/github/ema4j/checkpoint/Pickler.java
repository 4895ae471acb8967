package io.github.ema4j.checkpoint;

import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableMap;
import com.google.common.primitives.ImmutableLongArray;
import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes a value as a Python pickle of protocol 2 that {@code torch.load(weights_only=True)} reads:
 * tensors and state dicts as PyTorch writes them, and plain values.
 */
final class Pickler {
  private static final int MAX_DEPTH = 100;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** What is written once and then referred to, by number. */
  private final Map<String, Integer> memo = new HashMap<>();

  private Pickler() {}

  /** A state dict, whose order PyTorch keeps in an OrderedDict. */
  record StateDictValue(ImmutableMap<String, PthTensor> tensors) {}

  /**
   * Returns the pickle of a value: null, a truth value, number, text, list, map from text, {@link
   * PthTensor} or {@link StateDictValue}.
   *
   * @throws IllegalArgumentException if it is or contains something else
   */
  static byte[] pickle(@Nullable Object value) {
    Pickler pickler = new Pickler();
    pickler.op(PickleOp.PROTO);
    pickler.op(2);
    pickler.write(value, 0);
    pickler.op(PickleOp.STOP);
    return pickler.out.toByteArray();
  }

  private void write(@Nullable Object value, int depth) {
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException(
          "a value to be written is nested deeper than " + MAX_DEPTH + ", or contains itself");
    }
    if (value == null) {
      op(PickleOp.NONE);
    } else if (value instanceof Boolean bool) {
      op(bool ? PickleOp.NEWTRUE : PickleOp.NEWFALSE);
    } else if (value instanceof Double || value instanceof Float) {
      op(PickleOp.BINFLOAT);
      bigEndian(Double.doubleToRawLongBits(((Number) value).doubleValue()));
    } else if (value instanceof BigInteger integer) {
      write(integer);
    } else if (value instanceof Long
        || value instanceof Integer
        || value instanceof Short
        || value instanceof Byte) {
      write(((Number) value).longValue());
    } else if (value instanceof String text) {
      write(text);
    } else {
      writeContainer(value, depth);
    }
  }

  private void writeContainer(Object value, int depth) {
    if (value instanceof PthTensor tensor) {
      write(tensor);
    } else if (value instanceof StateDictValue state) {
      emptyOrderedDict();
      writeItems(state.tensors, depth);
    } else if (value instanceof Map<?, ?> map) {
      op(PickleOp.EMPTY_DICT);
      writeItems(map, depth);
    } else if (value instanceof List<?> list) {
      op(PickleOp.EMPTY_LIST);
      op(PickleOp.MARK);
      list.forEach(each -> write(each, depth + 1));
      op(PickleOp.APPENDS);
    } else {
      throw new IllegalArgumentException(
          String.format(
              "a value to be written is null, a truth value, a number, text, a list or a map,"
                  + " but was a %s: %s",
              value.getClass().getName(), value));
    }
  }

  private void writeItems(Map<?, ?> map, int depth) {
    op(PickleOp.MARK);
    map.forEach(
        (key, value) -> {
          if (!(key instanceof String name)) {
            throw new IllegalArgumentException("a key to be written must be text, but was " + key);
          }
          write(name);
          write(value, depth + 1);
        });
    op(PickleOp.SETITEMS);
  }

  /** Calls {@code _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)}. */
  private void write(PthTensor tensor) {
    global("torch._utils", "_rebuild_tensor_v2");
    op(PickleOp.MARK);
    writeStorage(tensor.storage());
    write(tensor.offset());
    writeTuple(tensor.spec().shape());
    writeTuple(tensor.spec().strides());
    op(PickleOp.NEWFALSE);
    emptyOrderedDict();
    op(PickleOp.TUPLE);
    op(PickleOp.REDUCE);
  }

  private void writeStorage(PthStorage storage) {
    op(PickleOp.MARK);
    shared("storage", () -> write("storage"));
    String type = requireNonNull(PthNames.STORAGES.inverse().get(storage.type()));
    int dot = type.lastIndexOf('.');
    global(type.substring(0, dot), type.substring(dot + 1));
    write(storage.key());
    shared("cpu", () -> write("cpu"));
    write(storage.elements());
    op(PickleOp.TUPLE);
    op(PickleOp.BINPERSID);
  }

  private void writeTuple(ImmutableLongArray values) {
    op(PickleOp.MARK);
    values.forEach(this::write);
    op(PickleOp.TUPLE);
  }

  private void emptyOrderedDict() {
    global("collections", "OrderedDict");
    op(PickleOp.EMPTY_TUPLE);
    op(PickleOp.REDUCE);
  }

  private void global(String module, String name) {
    shared(
        module + "." + name,
        () -> {
          op(PickleOp.GLOBAL);
          out.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
        });
  }

  /** Writes something in full the first time, and refers to it from then on. */
  private void shared(String what, Runnable write) {
    Integer number = memo.get(what);
    if (number != null) {
      op(PickleOp.BINGET);
      op(number);
      return;
    }
    write.run();
    op(PickleOp.BINPUT);
    op(memo.size());
    memo.put(what, memo.size());
  }

  private void write(long value) {
    if (value >= 0 && value <= 0xff) {
      op(PickleOp.BININT1);
      littleEndian(value, 1);
    } else if (value >= 0 && value <= 0xffff) {
      op(PickleOp.BININT2);
      littleEndian(value, 2);
    } else if (value == (int) value) {
      op(PickleOp.BININT);
      littleEndian(value, 4);
    } else {
      op(PickleOp.LONG1);
      op(Long.BYTES);
      littleEndian(value, Long.BYTES);
    }
  }

  private void write(BigInteger value) {
    byte[] bigEndian = value.toByteArray();
    if (bigEndian.length > 255) {
      throw new IllegalArgumentException(
          "an integer to be written has at most 255 bytes, but has " + bigEndian.length);
    }
    op(PickleOp.LONG1);
    op(bigEndian.length);
    for (int i = bigEndian.length - 1; i >= 0; i--) {
      op(bigEndian[i]);
    }
  }

  private void write(String text) {
    try {
      ByteBuffer utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
      op(PickleOp.BINUNICODE);
      littleEndian(utf8.remaining(), 4);
      while (utf8.hasRemaining()) {
        op(utf8.get());
      }
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("text to be written has half a surrogate pair", e);
    }
  }

  private void op(int value) {
    out.write(value);
  }

  private void littleEndian(long value, int bytes) {
    for (int i = 0; i < bytes; i++) {
      out.write((int) (value >> (8 * i)));
    }
  }

  private void bigEndian(long value) {
    littleEndian(Long.reverseBytes(value), Long.BYTES);
  }
}
