package io.github.ema4j.checkpoint;

import com.google.common.primitives.Ints;
import com.google.common.primitives.Longs;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The digest that our files carry: the SHA-256 of the SHA-256s of their pieces, of 16 MiB each but
 * for the last. One SHA-256 of it all would have to be computed by one thread, which disks are
 * faster than. Not thread-safe.
 */
final class FileDigest {
  static final int PIECE_BYTES = 16 << 20;

  /** So many are read at once: a disk is at its best, and they are still in a cache when taken. */
  private static final int READ_BYTES = 1 << 20;

  /** So many outrun a disk. */
  private static final int MOST_THREADS = 8;

  private final MessageDigest whole = sha256();
  private final MessageDigest piece = sha256();
  private int room = PIECE_BYTES;

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /** Takes the bytes that follow those before. */
  void update(ByteBuffer bytes) {
    while (bytes.hasRemaining()) {
      int count = Math.min(room, bytes.remaining());
      piece.update(bytes.slice(bytes.position(), count));
      bytes.position(bytes.position() + count);
      room -= count;
      if (room == 0) {
        endPiece();
      }
    }
  }

  private void endPiece() {
    whole.update(piece.digest());
    room = PIECE_BYTES;
  }

  /** Ends with what was taken, and returns its digest in hexadecimal digits. */
  String value() {
    if (room < PIECE_BYTES) {
      endPiece();
    }
    return HexFormat.of().formatHex(whole.digest());
  }

  /**
   * Returns a file's digest, as {@link #value} would. Several threads read it.
   *
   * @param blank what stands in place of some of its bytes
   * @param from where those begin
   * @throws IllegalStateException if it is closed
   * @throws CheckpointException if it was cut off meanwhile
   * @throws java.io.UncheckedIOException if it cannot be read
   */
  static String of(FileBytes file, byte[] blank, long from) {
    int pieces = Ints.checkedCast((file.size() - 1) / PIECE_BYTES + 1);
    int computing = Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors());
    int threads = Math.min(pieces, computing + 1); // one waits for the disk
    Pieces all = new Pieces(file, pieces, blank, from);
    ForkJoinPool pool = new ForkJoinPool(threads);
    try {
      List<ForkJoinTask<?>> tasks = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        tasks.add(pool.submit(() -> all.digest()));
      }
      tasks.forEach(ForkJoinTask::quietlyJoin); // the file is left alone once this returns
      tasks.forEach(ForkJoinTask::join);
    } finally {
      pool.shutdown();
    }
    MessageDigest whole = sha256();
    for (byte[] digest : all.digests) {
      whole.update(digest);
    }
    return HexFormat.of().formatHex(whole.digest());
  }

  /** The pieces of a file, which threads take. */
  private static final class Pieces {
    private final FileBytes file;
    private final byte[] blank;
    private final long from;
    private final byte[][] digests;
    private final AtomicInteger next = new AtomicInteger();

    Pieces(FileBytes file, int count, byte[] blank, long from) {
      this.file = file;
      this.blank = blank;
      this.from = from;
      digests = new byte[count][];
    }

    /** Takes pieces until there are none, or one has failed. */
    void digest() {
      ByteBuffer buffer = ByteBuffer.allocateDirect((int) Math.min(READ_BYTES, file.size()));
      try {
        for (int i = next.getAndIncrement(); i < digests.length; i = next.getAndIncrement()) {
          digests[i] = digest(i, buffer);
        }
      } catch (RuntimeException | Error e) {
        next.set(digests.length);
        throw e;
      }
    }

    private byte[] digest(int piece, ByteBuffer buffer) {
      MessageDigest digest = sha256();
      long end = Math.min((piece + 1L) * PIECE_BYTES, file.size());
      for (long at = (long) piece * PIECE_BYTES; at < end; at += buffer.limit()) {
        file.readOnce(at, buffer.clear().limit((int) Math.min(buffer.capacity(), end - at)));
        putBlank(buffer, at);
        digest.update(buffer.flip());
      }
      return digest.digest();
    }

    /** Puts the blank in its place, as far as that is in a buffer, which begins somewhere. */
    private void putBlank(ByteBuffer buffer, long begin) {
      long end = begin + buffer.limit();
      int first = (int) (Longs.constrainToRange(begin, from, from + blank.length) - from);
      int last = (int) (Longs.constrainToRange(end, from, from + blank.length) - from);
      if (first < last) {
        buffer.put((int) (from + first - begin), blank, first, last - first);
      }
    }
  }
}
