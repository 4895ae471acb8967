package io.github.ema4j.benchmarks;

import io.github.ema4j.ElementType;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.ShortPointer;

/** What memory allows: copying a model, and reading and writing an average in place. */
final class References implements AutoCloseable {
  private final List<BytePointer> model;
  private final long bytes;
  private final long parameters;
  private final BytePointer copy;
  private final ExecutorService helpers =
      Executors.newCachedThreadPool(
          task -> {
            Thread thread = new Thread(task, "references");
            thread.setDaemon(true);
            return thread;
          });

  /** A share of work that threads do together. */
  private interface Share {
    void run(int part, int parts);
  }

  /**
   * Allocates what is written to.
   *
   * @param model the tensors, each from its first to its last element; those on the Java heap are
   *     copied from it first, as the C library cannot read them there
   * @param type of their elements, float32 or bfloat16
   */
  References(List<Buffer> model, ElementType type) {
    this.model = model.stream().map(References::pointer).toList();
    parameters = model.stream().mapToLong(Buffer::remaining).sum();
    bytes = parameters * type.bytes();
    copy = new BytePointer(bytes);
  }

  private static BytePointer pointer(Buffer tensor) {
    Pointer elements;
    if (tensor instanceof FloatBuffer floats) {
      elements = new FloatPointer(floats.isDirect() ? floats : direct(floats));
    } else {
      ShortBuffer shorts = (ShortBuffer) tensor;
      elements = new ShortPointer(shorts.isDirect() ? shorts : direct(shorts));
    }
    return new BytePointer(elements).capacity(elements.capacity() * elements.sizeof());
  }

  private static FloatBuffer direct(FloatBuffer heap) {
    return bytes(heap, Float.BYTES).asFloatBuffer().put(heap.duplicate()).flip();
  }

  private static ShortBuffer direct(ShortBuffer heap) {
    return bytes(heap, Short.BYTES).asShortBuffer().put(heap.duplicate()).flip();
  }

  private static ByteBuffer bytes(Buffer heap, int size) {
    return ByteBuffer.allocateDirect(heap.remaining() * size).order(ByteOrder.nativeOrder());
  }

  /** Returns the C library's {@code memcpy} of the model to other memory. */
  Contender memcpy(String name, int threads) {
    List<List<Runnable>> shares = new ArrayList<>();
    for (int part = 0; part < threads; part++) {
      shares.add(copies(bytes * part / threads, bytes * (part + 1) / threads));
    }
    return new Contender(
        name,
        threads,
        parameters,
        2 * bytes,
        () -> together(threads, (part, parts) -> shares.get(part).forEach(Runnable::run)));
  }

  /** Returns the copies of what lies between two bytes, as if tensors followed each other. */
  private List<Runnable> copies(long begin, long end) {
    List<Runnable> copies = new ArrayList<>();
    long at = 0;
    for (BytePointer tensor : model) {
      long from = Math.max(begin, at);
      long length = Math.min(end, at + tensor.capacity()) - from;
      if (length > 0) {
        Pointer source = tensor.getPointer(from - at);
        Pointer target = copy.getPointer(from);
        copies.add(() -> Pointer.memcpy(target, source, length));
      }
      at += tensor.capacity();
    }
    return copies;
  }

  /** Returns a pass over an average in float32 that reads and writes each element. */
  List<Contender> streams(List<Integer> threads) {
    float[] average = new float[Math.toIntExact(parameters)];
    return threads.stream().map(count -> stream(average, count)).toList();
  }

  private Contender stream(float[] average, int threads) {
    return new Contender(
        "read and write",
        threads,
        parameters,
        2 * Float.BYTES * parameters,
        () ->
            together(
                threads,
                (part, parts) ->
                    negate(
                        average,
                        (int) (parameters * part / parts),
                        (int) (parameters * (part + 1) / parts))));
  }

  /** As little as can be done to an element; C2 vectorises it. */
  private static void negate(float[] average, int begin, int end) {
    for (int i = begin; i < end; i++) {
      average[i] = -average[i];
    }
  }

  private void together(int threads, Share share) {
    List<Future<?>> others = new ArrayList<>();
    for (int i = 1; i < threads; i++) {
      int part = i;
      others.add(helpers.submit(() -> share.run(part, threads)));
    }
    share.run(0, threads);
    try {
      for (Future<?> other : others) {
        other.get();
      }
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    helpers.shutdown();
    copy.close();
  }
}
