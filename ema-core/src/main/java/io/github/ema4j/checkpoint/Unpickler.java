package io.github.ema4j.checkpoint;

import com.google.common.base.Ascii;
import com.google.common.collect.ImmutableList;
import java.math.BigInteger;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads Python pickles of plain data: numbers, text, tuples, lists, dicts, and what a fixed table
 * makes of classes. Nothing that a pickle names is executed.
 *
 * <p>Time and memory grow with the pickle's length alone. Nothing is nested by recursion, no length
 * that a pickle states is believed before that many bytes are there, and no opcode copies what
 * others have made.
 *
 * <p>Values are {@link PyNone}, {@link Boolean}, {@link Long} or, beyond its range, {@link
 * BigInteger}, {@link Double}, {@link String}, {@link PyTuple}, {@link PyList}, {@link PyDict},
 * {@link PyGlobal}, {@link PyUnread}, and what the table makes.
 */
final class Unpickler {

  /** What a pickle's names mean. */
  interface Names {
    /** Returns what stands for a class or function. */
    Object global(String name);

    /** Returns what lies outside of the pickle under an id. */
    Object persistent(PyTuple id);
  }

  /** Says what is wrong with a value that a table's function was given. */
  static final class UnfitException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final String reason;

    UnfitException(String reason) {
      super(reason);
      this.reason = reason;
    }
  }

  private static final PyTuple EMPTY = new PyTuple(ImmutableList.of());
  private static final PyUnread SET = new PyUnread("set");
  private static final PyUnread BYTES = new PyUnread("bytes");
  private static final int NEWEST_PROTOCOL = 5;
  private static final int MAX_TEXT_IN_MESSAGE = 200;

  private final Path file;
  private final String entry;
  private final ByteBuffer in;
  private final Names names;
  private final int end;
  private List<Object> stack = new ArrayList<>();
  private int[] marks = new int[16];
  private int markCount;
  private @Nullable Object[] memo = new Object[16];
  private int memoized;

  /**
   * Prepares to read from a buffer's position on.
   *
   * @param entry what to call the pickle in messages
   */
  Unpickler(Path file, String entry, ByteBuffer in, Names names) {
    this.file = file;
    this.entry = entry;
    this.in = in.order(ByteOrder.LITTLE_ENDIAN);
    this.names = names;
    this.end = in.limit();
  }

  /**
   * Reads one pickle and leaves the buffer's position behind it.
   *
   * @throws CheckpointException if it is not sound, or holds what is not read
   */
  Object read() {
    try {
      for (int op = nextByte(); op != PickleOp.STOP; op = nextByte()) {
        execute(op);
      }
    } catch (BufferUnderflowException e) {
      throw bad("the pickle goes on beyond byte " + end + ": it was cut off, or is not one");
    } catch (UnfitException e) {
      throw bad(e.reason);
    }
    if (stack.size() != 1 || markCount != 0) {
      throw bad("the pickle ends with " + stack.size() + " values instead of one");
    }
    return stack.get(0);
  }

  private void execute(int op) {
    switch (op) {
      case PickleOp.PROTO -> protocol(nextByte());
      case PickleOp.FRAME -> skip(Long.BYTES);
      case PickleOp.NONE -> push(PyNone.NONE);
      case PickleOp.NEWTRUE -> push(true);
      case PickleOp.NEWFALSE -> push(false);
      case PickleOp.BININT -> push((long) in.getInt());
      case PickleOp.BININT1 -> push((long) nextByte());
      case PickleOp.BININT2 -> push((long) Short.toUnsignedInt(in.getShort()));
      case PickleOp.LONG1 -> push(integer(take(nextByte())));
      case PickleOp.BINFLOAT -> push(Double.longBitsToDouble(Long.reverseBytes(in.getLong())));
      case PickleOp.SHORT_BINSTRING, PickleOp.SHORT_BINUNICODE -> push(text(take(nextByte())));
      case PickleOp.BINSTRING, PickleOp.BINUNICODE -> push(text(take(nextLength())));
      case PickleOp.SHORT_BINBYTES -> push(unreadBytes(nextByte()));
      case PickleOp.BINBYTES -> push(unreadBytes(nextLength()));
      case PickleOp.BINPUT -> memoize(nextByte());
      case PickleOp.LONG_BINPUT -> memoize(nextLength());
      case PickleOp.MEMOIZE -> memoize(memoized);
      case PickleOp.BINGET -> push(recall(nextByte()));
      case PickleOp.LONG_BINGET -> push(recall(nextLength()));
      default -> executeContainer(op);
    }
  }

  private void executeContainer(int op) {
    switch (op) {
      case PickleOp.MARK -> mark();
      case PickleOp.EMPTY_TUPLE -> push(EMPTY);
      case PickleOp.TUPLE -> push(new PyTuple(popToMark()));
      case PickleOp.TUPLE1 -> push(new PyTuple(pop(1)));
      case PickleOp.TUPLE2 -> push(new PyTuple(pop(2)));
      case PickleOp.TUPLE3 -> push(new PyTuple(pop(3)));
      case PickleOp.EMPTY_LIST -> push(new PyList());
      case PickleOp.EMPTY_SET -> push(SET);
      case PickleOp.FROZENSET -> pushFrozenSet();
      case PickleOp.APPEND -> append(pop(1));
      case PickleOp.APPENDS, PickleOp.ADDITEMS -> append(popToMark());
      case PickleOp.EMPTY_DICT -> push(new PyDict());
      case PickleOp.SETITEM -> setItems(pop(2));
      case PickleOp.SETITEMS -> setItems(popToMark());
      case PickleOp.GLOBAL -> push(names.global(line() + "." + line()));
      case PickleOp.STACK_GLOBAL -> global(pop(2));
      case PickleOp.REDUCE, PickleOp.NEWOBJ -> call(pop(2));
      case PickleOp.BUILD -> build();
      case PickleOp.BINPERSID -> push(names.persistent(tuple(pop(1).get(0), "a persistent id")));
      default ->
          throw bad(String.format("the pickle has the opcode 0x%02x, which is not read", op));
    }
  }

  private void protocol(int version) {
    if (version < 2 || version > NEWEST_PROTOCOL) {
      throw bad("pickles of protocols 2 to 5 are read, but this one's is " + version);
    }
  }

  private void global(List<Object> moduleAndName) {
    if (moduleAndName.get(0) instanceof String module
        && moduleAndName.get(1) instanceof String name) {
      push(names.global(module + "." + name));
    } else {
      throw bad("a class is named by something that is no text");
    }
  }

  private void call(List<Object> functionAndArguments) {
    Object function = functionAndArguments.get(0);
    PyTuple arguments = tuple(functionAndArguments.get(1), "the arguments of a call");
    if (function instanceof PyGlobal known) {
      push(known.call().apply(arguments));
    } else if (function instanceof PyUnread) {
      push(function);
    } else {
      throw bad("the pickle calls a value that is no class: a " + typeName(function));
    }
  }

  /** Drops an object's attributes, such as a state dict's version numbers: they are no items. */
  private void build() {
    pop(1);
    Object target = top();
    if (!(target instanceof PyDict || target instanceof PyList || target instanceof PyUnread)) {
      throw bad("the pickle sets attributes of a value that has none: a " + typeName(target));
    }
  }

  private void append(List<Object> items) {
    Object target = top();
    if (target instanceof PyList list) {
      list.items().addAll(items);
    } else if (!(target instanceof PyUnread)) {
      throw bad("the pickle appends to a value that is no list: a " + typeName(target));
    }
  }

  private void pushFrozenSet() {
    popToMark();
    push(SET);
  }

  private void setItems(List<Object> items) {
    Object target = top();
    if (items.size() % 2 != 0) {
      throw bad("the pickle sets a key without a value");
    }
    if (target instanceof PyUnread) {
      return;
    }
    if (!(target instanceof PyDict dict)) {
      throw bad("the pickle sets items of a value that is no dict: a " + typeName(target));
    }
    for (int i = 0; i < items.size(); i += 2) {
      if (!dict.put(items.get(i), items.get(i + 1))) {
        throw bad("a dict has the key " + describe(items.get(i)) + " twice");
      }
    }
  }

  private void memoize(int index) {
    // Pickles number what they memoize from 0 on: an index beyond their length is made up.
    if (index >= end) {
      throw bad("the pickle memoizes a value as number " + Integer.toUnsignedString(index));
    }
    if (index >= memo.length) {
      memo = Arrays.copyOf(memo, Math.max(index + 1, (int) Math.min(end, memo.length * 2L)));
    }
    memo[index] = top();
    memoized++;
  }

  private Object recall(int index) {
    Object value = index < memo.length ? memo[index] : null;
    if (value == null) {
      throw bad("the pickle refers to its value number " + index + ", which it has not");
    }
    return value;
  }

  private void mark() {
    if (markCount == marks.length) {
      marks = Arrays.copyOf(marks, markCount * 2);
    }
    marks[markCount++] = stack.size();
  }

  private void push(Object value) {
    stack.add(value);
  }

  private Object top() {
    if (stack.size() <= floor()) {
      throw bad("the pickle uses more values than it has made");
    }
    return stack.get(stack.size() - 1);
  }

  /** Takes the topmost values off the stack, the deepest first. */
  private ImmutableList<Object> pop(int count) {
    if (stack.size() - count < floor()) {
      throw bad("the pickle uses more values than it has made");
    }
    List<Object> tail = stack.subList(stack.size() - count, stack.size());
    ImmutableList<Object> values = ImmutableList.copyOf(tail);
    tail.clear();
    return values;
  }

  private ImmutableList<Object> popToMark() {
    if (markCount == 0) {
      throw bad("the pickle uses a mark that it has not set");
    }
    ImmutableList<Object> values = pop(stack.size() - floor());
    markCount--;
    return values;
  }

  private int floor() {
    return markCount == 0 ? 0 : marks[markCount - 1];
  }

  private PyTuple tuple(Object value, String what) {
    if (value instanceof PyTuple tuple) {
      return tuple;
    }
    throw bad(what + " must be a tuple, but is a " + typeName(value));
  }

  private int nextByte() {
    return in.get() & 0xff;
  }

  /** Reads a length of four bytes; what no buffer can hold is beyond the end. */
  private int nextLength() {
    int length = in.getInt();
    if (length < 0) {
      throw new BufferUnderflowException();
    }
    return length;
  }

  private ByteBuffer take(int length) {
    ByteBuffer bytes = in.duplicate();
    skip(length);
    return bytes.limit(in.position());
  }

  private void skip(int length) {
    if (length > in.remaining()) {
      throw new BufferUnderflowException();
    }
    in.position(in.position() + length);
  }

  private PyUnread unreadBytes(int length) {
    skip(length);
    return BYTES;
  }

  private static Object integer(ByteBuffer littleEndian) {
    byte[] bytes = new byte[littleEndian.remaining()];
    for (int i = bytes.length - 1; i >= 0; i--) {
      bytes[i] = littleEndian.get();
    }
    BigInteger value = bytes.length == 0 ? BigInteger.ZERO : new BigInteger(bytes);
    return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
  }

  private String text(ByteBuffer utf8) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
    } catch (CharacterCodingException e) {
      throw bad("text in the pickle is not UTF-8");
    }
  }

  private String line() {
    ByteBuffer line = in.duplicate();
    while (nextByte() != '\n') {
      // The buffer's end ends the search too.
    }
    return text(line.limit(in.position() - 1));
  }

  /** Returns what to call a value's type in messages. */
  static String typeName(Object value) {
    return value instanceof PyUnread unread
        ? abbreviate(unread.what())
        : typeName(value.getClass());
  }

  /** Returns what to call a type in messages. */
  static String typeName(Class<?> type) {
    return Ascii.toLowerCase(type.getSimpleName().replaceFirst("^(Py|Pth)", ""));
  }

  /** Returns a value for messages, without what is in it. */
  static String describe(Object value) {
    if (value instanceof String text) {
      return "'" + abbreviate(text) + "'";
    }
    return value instanceof Number || value instanceof Boolean
        ? value.toString()
        : "a " + typeName(value);
  }

  /** Returns text from a file as messages should have it. */
  static String abbreviate(String text) {
    return Ascii.truncate(text, MAX_TEXT_IN_MESSAGE, "…");
  }

  private CheckpointException bad(String reason) {
    return new CheckpointException(
        file, entry, reason + " (at byte " + in.position() + " of the pickle)", null);
  }
}
