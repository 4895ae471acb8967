package io.github.ema4j.spi;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A tensor's elements in host memory, for reading and writing in place.
 *
 * <p>Buffers are of the kind that holds the element type: {@code DoubleBuffer} for F64, {@code
 * FloatBuffer} for F32, {@code LongBuffer}, {@code IntBuffer}, {@code ShortBuffer} for I64, I32 and
 * all 16-bit types, {@code ByteBuffer} for 8-bit types; heap or direct, in native byte order, but
 * for buffers that are only read, which may have the other. The element with index 0 lies at the
 * first buffer's position; the others follow by the tensor's strides. What no single buffer can
 * hold is split: every segment but the last has the same number of elements, and the last has no
 * more. The memory may reach beyond the tensor's last element, as where it is a view of a larger
 * one: tensors that lie in it one after another are then averaged in one run.
 *
 * <p>Valid while the tensor lives and is not moved: core fetches it anew for each operation.
 */
public final class HostMemory {
  /** Memory without elements. */
  public static final HostMemory NONE = of(ByteBuffer.allocate(0));

  private final Buffer[] segments;
  private final long segmentElements;
  private final long address;
  private final boolean nativeOrder;
  private volatile @Nullable Views views;

  /**
   * What a kernel sees of each segment.
   *
   * @param first of the first segment, mostly the only one
   * @param seen in the order of the segments
   */
  private record Views(RunKernel<?> kernel, Object first, ImmutableList<?> seen) {}

  private HostMemory(Buffer[] segments, long segmentElements, long address) {
    this.segments = segments;
    this.segmentElements = segmentElements;
    this.address = address;
    nativeOrder = isInNativeOrder(segments[0]);
  }

  /** Returns memory in one buffer, from its position to its limit. */
  public static HostMemory of(Buffer buffer) {
    return new HostMemory(new Buffer[] {buffer}, Long.MAX_VALUE, 0);
  }

  /**
   * Returns memory in consecutive buffers, each from its position to its limit.
   *
   * @throws IllegalArgumentException if there is none, one but the last differs in length from the
   *     first, the last is longer, or there are several and the first is empty
   */
  public static HostMemory ofSegments(Buffer... segments) {
    return at(0, segments);
  }

  /**
   * Returns memory in consecutive buffers, as {@link #ofSegments}, that is known again by where it
   * begins.
   *
   * @param address where the element with index 0 is, other than 0
   */
  public static HostMemory at(long address, Buffer... segments) {
    checkArgument(segments.length > 0, "memory needs at least one segment");
    int elements = segments[0].remaining();
    for (int i = 0; i < segments.length - 1; i++) {
      checkArgument(
          segments[i].remaining() == elements,
          "all segments but the last must have %s elements, but segment %s has %s",
          elements,
          i,
          segments[i].remaining());
    }
    int last = segments[segments.length - 1].remaining();
    checkArgument(
        last <= elements,
        "the last segment must have at most %s elements, but has %s",
        elements,
        last);
    checkArgument(segments.length == 1 || elements > 0, "only a single segment may be empty");
    return new HostMemory(
        segments.clone(), segments.length == 1 ? Long.MAX_VALUE : elements, address);
  }

  /** Tells whether this memory was said to begin at an address and has room for elements. */
  public boolean isAt(long begin, long elements) {
    return begin != 0 && begin == address && elements <= elements();
  }

  /** Returns the buffer that holds the element at an offset from element 0. */
  public Buffer segmentAt(long offset) {
    return segments.length == 1 ? segments[0] : segments[(int) (offset / segmentElements)];
  }

  /** Returns the absolute index of that element in its buffer. */
  public int indexAt(long offset) {
    return segments.length == 1
        ? segments[0].position() + (int) offset
        : segmentAt(offset).position() + (int) (offset % segmentElements);
  }

  /**
   * Returns how many elements of storage follow an offset in its segment, that element included.
   */
  public long remainingAt(long offset) {
    return segments.length == 1 ? Long.MAX_VALUE : segmentElements - offset % segmentElements;
  }

  /**
   * Returns what a kernel makes of the buffer that holds the element at an offset; made once, and
   * kept as long as this memory is.
   */
  @SuppressWarnings("unchecked") // the kernel made it
  public <V> V viewAt(long offset, RunKernel<V> kernel) {
    Views made = views;
    if (made == null || made.kernel != kernel) {
      ImmutableList<?> seen =
          Arrays.stream(segments).map(kernel::view).collect(ImmutableList.toImmutableList());
      made = new Views(kernel, seen.get(0), seen);
      views = made;
    }
    return (V)
        (segments.length == 1 ? made.first : made.seen.get((int) (offset / segmentElements)));
  }

  /** Tells whether elements have the byte order of this machine. */
  public boolean isInNativeOrder() {
    return nativeOrder;
  }

  private static boolean isInNativeOrder(Buffer first) {
    ByteOrder order = ByteOrder.nativeOrder();
    if (first instanceof FloatBuffer floats) {
      order = floats.order();
    } else if (first instanceof DoubleBuffer doubles) {
      order = doubles.order();
    } else if (first instanceof LongBuffer longs) {
      order = longs.order();
    } else if (first instanceof IntBuffer ints) {
      order = ints.order();
    } else if (first instanceof ShortBuffer shorts) {
      order = shorts.order();
    }
    return order == ByteOrder.nativeOrder();
  }

  /** Returns how many elements of storage there are in all. */
  public long elements() {
    long elements = 0;
    for (Buffer segment : segments) {
      elements += segment.remaining();
    }
    return elements;
  }
}
