package io.github.ema4j.checkpoint;

import com.google.common.primitives.Ints;
import com.google.common.primitives.Longs;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;

/**
 * The digest that our files carry: the SHA-256 of the SHA-256s of their pieces, of 16 MiB each but
 * for the last. One SHA-256 of it all would have to be computed by one thread, which disks are
 * faster than. Not thread-safe.
 */
final class FileDigest {
  static final int PIECE_BYTES = 16 << 20;

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
   */
  static String of(FileBytes file, byte[] blank, long from) {
    int pieces = Ints.checkedCast((file.size() - 1) / PIECE_BYTES + 1);
    int computing = Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors());
    ForkJoinPool pool = new ForkJoinPool(Math.min(pieces, computing + 1)); // one waits for the disk
    try {
      List<byte[]> digests =
          pool.submit(
                  () ->
                      IntStream.range(0, pieces)
                          .parallel()
                          .mapToObj(i -> digest(file, i, blank, from))
                          .toList())
              .join();
      MessageDigest whole = sha256();
      digests.forEach(whole::update);
      return HexFormat.of().formatHex(whole.digest());
    } finally {
      pool.shutdown();
    }
  }

  private static byte[] digest(FileBytes file, long index, byte[] blank, long from) {
    long begin = index * PIECE_BYTES;
    long end = Math.min(begin + PIECE_BYTES, file.size());
    long blankBegin = Longs.constrainToRange(from, begin, end);
    long blankEnd = Longs.constrainToRange(from + blank.length, begin, end);
    MessageDigest digest = sha256();
    digest.update(file.slice(begin, blankBegin - begin));
    if (blankBegin < blankEnd) {
      digest.update(blank, (int) (blankBegin - from), (int) (blankEnd - blankBegin));
    }
    digest.update(file.slice(blankEnd, end - blankEnd));
    return digest.digest();
  }
}
