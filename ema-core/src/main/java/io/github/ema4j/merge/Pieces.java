package io.github.ema4j.merge;

import static java.util.Objects.requireNonNull;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.ThreadFactoryBuilder;
import com.google.common.util.concurrent.Uninterruptibles;
import io.github.ema4j.internal.RowMajorReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Computes tensors piece by piece on several threads, ahead of who takes the pieces, in their
 * order. One tensor at a time; thread-safe.
 */
final class Pieces implements AutoCloseable {
  static final int PIECE_BYTES = 1 << 20;

  /** What a piece takes, with what it is computed by. */
  private static final int SLOT_BYTES = PIECE_BYTES + PIECE_BYTES / 2;

  /** The least memory: one piece is taken while another is computed. */
  static final long LEAST_BYTES = 2 * SLOT_BYTES;

  /** More threads wait for the disk. */
  private static final int MOST_THREADS = 4;

  private final Deque<Slot> free = new ArrayDeque<>();
  private final ExecutorService threads;

  /** Memory of one piece. */
  private record Slot(BlockMerger merger, ByteBuffer bytes) {

    ByteBuffer compute(MergePlan.Entry entry, List<? extends BlockMerger.Source> sources, long at)
        throws IOException {
      merger.merge(entry, sources, at, bytes);
      return bytes.flip();
    }
  }

  /** A piece that is being computed. */
  private record Pending(Slot slot, Future<ByteBuffer> piece) {}

  /**
   * Makes room.
   *
   * @param memoryBytes what it may take, at least {@link #LEAST_BYTES}
   */
  Pieces(long memoryBytes) {
    int most = Math.min(Runtime.getRuntime().availableProcessors(), MOST_THREADS) + 1;
    int slots = (int) Math.min(memoryBytes / SLOT_BYTES, most);
    for (int i = 0; i < slots; i++) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      free.add(new Slot(new BlockMerger(), bytes));
    }
    threads =
        Executors.newFixedThreadPool(
            Math.max(1, slots - 1),
            new ThreadFactoryBuilder().setDaemon(true).setNameFormat("ema4j-merge-%d").build());
  }

  /**
   * Computes a tensor.
   *
   * @param sink takes the pieces, in this thread
   * @throws IOException if a source cannot be read, or the sink fails
   */
  synchronized void write(
      MergePlan.Entry entry, List<? extends BlockMerger.Source> sources, RowMajorReader.Sink sink)
      throws IOException {
    int size = entry.spec().type().bytes();
    if (entry.bytes() <= PIECE_BYTES) { // in less time than a thread takes to wake
      Slot slot = free.element();
      slot.bytes.clear().limit((int) entry.bytes());
      sink.accept(slot.compute(entry, sources, 0));
      return;
    }
    Deque<Pending> ahead = new ArrayDeque<>();
    long at = 0;
    try {
      while (at < entry.spec().elements() || !ahead.isEmpty()) {
        while (at < entry.spec().elements() && !free.isEmpty()) {
          Slot slot = free.remove();
          long first = at;
          int n = (int) Math.min(entry.spec().elements() - at, PIECE_BYTES / size);
          slot.bytes.clear().limit(n * size);
          ahead.add(new Pending(slot, threads.submit(() -> slot.compute(entry, sources, first))));
          at += n;
        }
        Pending next = requireNonNull(ahead.peek());
        sink.accept(result(next.piece));
        free.add(ahead.remove().slot);
      }
    } finally {
      for (Pending left : ahead) { // after a failure
        awaitEnd(left.piece);
        free.add(left.slot);
      }
    }
  }

  private static ByteBuffer result(Future<ByteBuffer> piece) throws IOException {
    try {
      return requireNonNull(Uninterruptibles.getUninterruptibly(piece));
    } catch (ExecutionException e) {
      Throwable cause = requireNonNull(e.getCause());
      Throwables.throwIfInstanceOf(cause, IOException.class);
      Throwables.throwIfUnchecked(cause);
      throw new AssertionError(e); // nothing else is thrown there
    }
  }

  private static void awaitEnd(Future<ByteBuffer> piece) {
    try {
      Uninterruptibles.getUninterruptibly(piece);
    } catch (ExecutionException e) {
      // What failed first is thrown.
    }
  }

  @Override
  public void close() {
    threads.shutdown();
  }
}
