package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.HostMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Reads tensors of any layout, type and device as bytes: elements in row-major order, each
 * little-endian. Not thread-safe: a reader owns the memory that it hands out.
 */
public final class RowMajorReader {
  private final ByteBuffer piece;

  /** Takes the bytes of a tensor, piece by piece. */
  public interface Sink {
    /**
     * Takes some.
     *
     * @param bytes they are overwritten after the call
     */
    void accept(ByteBuffer bytes) throws IOException;
  }

  /**
   * Makes a reader.
   *
   * @param pieceBytes how many bytes a piece has at most, at least an element's
   */
  public RowMajorReader(int pieceBytes) {
    checkArgument(pieceBytes >= Long.BYTES, "a piece must have 8 bytes, but had %s", pieceBytes);
    piece = ByteBuffer.allocateDirect(pieceBytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Reads a tensor. One that lies outside host memory is copied to it meanwhile; one that is {@link
   * StreamedTensor} hands out pieces of its own.
   *
   * @throws IllegalStateException if it is closed or released, naming it
   */
  public <T> void read(Tensors<T> owner, Entry<T> entry, Sink sink) throws IOException {
    if (entry.tensor() instanceof StreamedTensor streamed) {
      streamed.writeTo(sink);
      return;
    }
    HostSide<T> host = HostSide.of(owner, entry);
    try {
      host.fetch();
      read(host.memory(), host.spec(), sink);
    } finally {
      host.release();
    }
  }

  /**
   * Reads elements that lie one after another.
   *
   * @param first the offset of the first in the memory
   * @param into filled from its position to its limit
   */
  public static void read(HostMemory memory, ElementType type, long first, ByteBuffer into) {
    HostMemory target =
        HostMemory.of(TypedBuffers.of(type, into.slice().order(ByteOrder.LITTLE_ENDIAN)));
    copyRun(type, target, 0, 1, memory, first, 1, into.remaining() / type.bytes());
    into.position(into.limit());
  }

  /** Cuts a tensor into slabs of its inner dimensions that fit a piece. */
  private void read(HostMemory memory, TensorSpec spec, Sink sink) throws IOException {
    if (spec.elements() == 0) {
      return;
    }
    long capacity = piece.capacity() / spec.type().bytes();
    ImmutableLongArray shape = spec.shape();
    int inner = shape.length();
    long slab = 1;
    while (inner > 0 && shape.get(inner - 1) <= capacity / slab) {
      inner--;
      slab *= shape.get(inner);
    }
    new Slabs(memory, spec, inner, capacity / slab, sink).read(0, 0);
  }

  /** The pieces of one tensor. */
  private final class Slabs {
    private final HostMemory memory;
    private final ElementType type;
    private final ImmutableLongArray shape;
    private final ImmutableLongArray strides;
    private final int inner;
    private final long most;
    private final Sink sink;

    /**
     * Prepares for a tensor.
     *
     * @param inner the first dimension of those that a piece has room for
     * @param most how many such slabs fit a piece
     */
    Slabs(HostMemory memory, TensorSpec spec, int inner, long most, Sink sink) {
      this.memory = memory;
      this.type = spec.type();
      this.shape = spec.shape();
      this.strides = spec.strides();
      this.inner = inner;
      this.most = most;
      this.sink = sink;
    }

    /** Reads what the outer dimensions before {@code dimension} have led to. */
    void read(int dimension, long offset) throws IOException {
      if (inner == 0) {
        readPiece(shape, strides, offset);
      } else if (dimension == inner - 1) {
        for (long i = 0; i < shape.get(dimension); i += most) {
          readPiece(
              ImmutableLongArray.builder()
                  .add(Math.min(most, shape.get(dimension) - i))
                  .addAll(shape.subArray(inner, shape.length()))
                  .build(),
              strides.subArray(dimension, strides.length()),
              offset + i * strides.get(dimension));
        }
      } else {
        for (long i = 0; i < shape.get(dimension); i++) {
          read(dimension + 1, offset + i * strides.get(dimension));
        }
      }
    }

    private void readPiece(ImmutableLongArray sizes, ImmutableLongArray steps, long offset)
        throws IOException {
      TensorSpec packed = TensorSpec.contiguous(type, sizes.toArray());
      HostMemory target = HostMemory.of(TypedBuffers.of(type, piece.clear()));
      LoopNest.over(sizes, packed.strides(), steps)
          .forEachRun(
              (to, from, elements, toStride, fromStride) ->
                  copyRun(type, target, to, toStride, memory, offset + from, fromStride, elements));
      sink.accept(piece.limit((int) packed.elements() * type.bytes()));
    }
  }

  /** Copies a run that may go over several segments of the source. */
  private static void copyRun(
      ElementType type,
      HostMemory target,
      long to,
      long toStride,
      HostMemory source,
      long from,
      long fromStride,
      long elements) {
    for (long done = 0, n; done < elements; done += n) {
      long at = from + done * fromStride;
      n = Math.min(elements - done, (source.remainingAt(at) - 1) / Math.max(1, fromStride) + 1);
      Elements.copy(
          type,
          source,
          at,
          (int) fromStride, // moot or within one buffer
          target,
          to + done * toStride,
          (int) toStride,
          (int) n);
    }
  }
}
